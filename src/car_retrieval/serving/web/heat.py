"""Heat maps as pictures."""

from io import BytesIO
from typing import Literal

from PIL import Image

from car_retrieval.reporting.overlay import overlay
from car_retrieval.serving.web.query_result import Query, answer

Side = Literal["match", "query"]


def heat_picture(query: Query, match: int, on: Side) -> bytes:
    """Draw what each place of one picture does for its similarity with the other.

    Args:
        query: the photo asked about.
        match: row of the gallery photo that was found.
        on: whose picture to draw.

    Returns:
        A PNG of R × R pixels, as the network sees the photo.
    """
    retriever = query.retriever
    if on == "match":
        image = retriever.packed(match)
        other = answer([query])[0].descriptor
    else:
        image = query.pixels()
        other = retriever.descriptor(match)
    picture = BytesIO()
    pixels = overlay(image.transpose(1, 2, 0), retriever.heat(image, other))
    Image.fromarray(pixels).save(picture, "PNG", compress_level=1)
    return picture.getvalue()
