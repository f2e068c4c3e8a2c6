"""Fingerprint of a list of photos."""

from collections.abc import Sequence
from hashlib import blake2b

import pandas as pd

from car_retrieval.data.photo_table import require_columns


def digest(photos: pd.DataFrame, columns: Sequence[str] = ("Path", "Hash")) -> str:
    """BLAKE2b hash of these columns in row order, 16 hex digits: equal for equal lists of photos.

    Raises:
        ValueError: a column is missing.
    """
    require_columns(photos, columns)
    # As CSV, so that a table is the same before it is saved and after.
    text = photos[list(columns)].to_csv(index=False, lineterminator="\n")
    return blake2b(text.encode(), digest_size=8).hexdigest()
