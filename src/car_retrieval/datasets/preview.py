"""Preview types of datasets, which Kedro-Viz recognises by name."""

import base64
import io
import json
from typing import TYPE_CHECKING, Any, NewType

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

ImagePreview = NewType("ImagePreview", str)
"""PNG in base64."""
JSONPreview = NewType("JSONPreview", str)
TablePreview = NewType("TablePreview", dict[str, Any])
"""Dictionary of index, columns and data."""


def png_preview(image: "Image | bytes") -> ImagePreview:
    """Preview a picture, or the bytes of a PNG file."""
    if not isinstance(image, bytes):
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        image = buffer.getvalue()
    return ImagePreview(base64.b64encode(image).decode())


def table_preview(table: "pd.DataFrame", rows: int = 20) -> TablePreview:
    """Preview the first rows of a table."""
    return TablePreview(json.loads(table.head(rows).to_json(orient="split")))
