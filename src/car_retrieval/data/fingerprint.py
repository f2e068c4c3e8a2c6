"""Fingerprint of a list of photos."""

from collections.abc import Sequence
from hashlib import blake2b

import pandas as pd

from car_retrieval.data.photo_table import require_columns


def digest(photos: pd.DataFrame, columns: Sequence[str] = ("Path", "Hash")) -> str:
    """Hash columns of a list of photos in row order (BLAKE2b): 16 hex digits.

    Raises:
        ValueError: a column is missing.
    """
    require_columns(photos, columns)
    # Hashed as CSV, so that saving and loading a table does not change its digest.
    text = photos[list(columns)].to_csv(index=False, lineterminator="\n")
    return blake2b(text.encode(), digest_size=8).hexdigest()
