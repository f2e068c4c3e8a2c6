"""Heat maps as PNG files."""

from io import BytesIO
from typing import Literal

from PIL import Image

from car_retrieval.reporting.overlay import overlay
from car_retrieval.serving.web.query_result import Query, run_queries

Side = Literal["match", "query"]


def heat_picture(query: Query, match: str, on: Side) -> bytes:
    """Draw how much each part of one photo contributes to its similarity with the other.

    Args:
        query: the query photo.
        match: id of the match.
        on: the photo to draw on.

    Returns:
        A PNG of R × R pixels that shows the photo as the network sees it.
    """
    retriever = query.retriever
    if on == "match":
        image = retriever.packed(match)
        other = run_queries([query])[0].descriptor
    else:
        image = query.pixels()
        other = retriever.descriptor(match)
    picture = BytesIO()
    pixels = overlay(image.transpose(1, 2, 0), retriever.heat(image, other))
    Image.fromarray(pixels).save(picture, "PNG", compress_level=1)
    return picture.getvalue()
