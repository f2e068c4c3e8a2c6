"""Photos without a labelled box get one where a car is seen, in pixels of the full picture."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.parameters import data_params, training_params

from car_retrieval.data.compcars import BOX
from car_retrieval.data.photo_table import boxes_of
from car_retrieval.gallery.store import GalleryStore
from car_retrieval.images.crop import Box
from car_retrieval.models import proposed_boxes
from car_retrieval.models.proposed_boxes import with_proposed_boxes
from car_retrieval.pipelines.data_processing.nodes import pack_images, select_gallery

SIZES = {
    "labelled.png": (90, 60),
    "car.png": (80, 50),
    "large.jpg": (1600, 1200),
    "empty.png": (60, 60),
}


@pytest.fixture
def files() -> dict[str, bytes]:
    found = {}
    for path, size in SIZES.items():
        file = io.BytesIO()
        colour = (0, 0, 0) if path == "empty.png" else (200, 30, 30)
        Image.new("RGB", size, colour).save(file, "JPEG" if path.endswith("jpg") else "PNG")
        found[path] = file.getvalue()
    return found


@pytest.fixture
def halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The car is the right half of what is not black."""

    def propose(pixels: np.ndarray) -> Box | None:
        height, width = pixels.shape[:2]
        return Box(width // 2 + 1, 1, width, height) if pixels.any() else None

    monkeypatch.setattr(proposed_boxes, "propose_box", propose)


EXPECTED = [[11, 12, 50, 40], [41, 1, 80, 50], [801, 1, 1600, 1200], [np.nan] * 4]


@pytest.mark.usefixtures("halves")
def test_labels_stay_and_the_others_are_filled_in(files: dict[str, bytes]) -> None:
    photos = pd.DataFrame({"Path": list(SIZES), "Class": range(4)})
    photos[BOX] = pd.NA
    photos.loc[0, BOX] = [11, 12, 50, 40]
    filled = with_proposed_boxes(photos, files, workers=2)
    np.testing.assert_array_equal(boxes_of(filled), EXPECTED)
    assert list(filled.columns) == list(photos.columns)
    unknown = with_proposed_boxes(photos[["Path", "Class"]], files, workers=1)
    np.testing.assert_array_equal(boxes_of(unknown)[1:], EXPECTED[1:])
    np.testing.assert_array_equal(boxes_of(unknown)[0], [46, 1, 90, 60])


@pytest.mark.usefixtures("halves")
@pytest.mark.parametrize("crop", ["none", "box", "auto"])
def test_packing_tells_what_photos_were_cut_to(
    files: dict[str, bytes], crop: str, tmp_path: Path
) -> None:
    params = data_params(crop=crop, image_size=16, fill="black", near_duplicates=None)
    nature = pd.DataFrame({"Path": list(SIZES), "Class": [0, 0, 1, 1]})
    photos, _, _ = select_gallery(nature, files, GalleryStore("unchanged"), params)
    assert ("x1" in photos) == (crop == "auto")
    stream = pack_images(photos, files, params, training_params())
    assert stream.attributes["packing"]["crop"] == crop
    (block,) = stream.blocks
    cut = block[2].any(axis=0)  # of 1600 x 1200 pixels, or 800 x 1200
    assert cut.any(axis=0).sum() == (11 if crop == "auto" else 16)
