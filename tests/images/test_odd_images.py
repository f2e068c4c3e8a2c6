"""Files from decoders' own test suites: odd but sound ones decode, broken ones are refused."""

import csv
import os
from pathlib import Path

import pytest

from car_retrieval.images.decode import UnreadableImageError, decode
from car_retrieval.images.inspect import inspect_all

FOLDER = Path(os.environ.get("CAR_RETRIEVAL_REAL_DATA", "")) / "odd_images"
MANIFEST = FOLDER / "manifest.csv"

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(
        not MANIFEST.is_file(), reason="CAR_RETRIEVAL_REAL_DATA names no folder with odd_images/"
    ),
]


# Read, although the manifest says otherwise: it knows no HEIC, and refuses without an end marker.
SOUND = {
    "exif__samplefilehub.heif": "640x426",
    "heif_named.jpg": "640x426",
    "pil__truncated_jpeg.jpg": "100x100",
}


def expected(row: dict[str, str]) -> str:
    refused = row["reject"] in ("yes", "cv2-only") and row["file"] not in SOUND
    return "refused" if refused else "decoded"


@pytest.fixture(scope="module")
def manifest() -> list[dict[str, str]]:
    with MANIFEST.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("min_size", [None, 448, 1])
def test_verdict_and_size(manifest, min_size):
    """`cv2-only` is a cut-off or damaged file that OpenCV accepts silently: to be refused."""
    wrong = []
    for row in manifest:
        data = (FOLDER / row["file"]).read_bytes()
        try:
            decoded = decode(data, min_size)
        except UnreadableImageError:
            verdict = "refused"
        else:
            size = f"{decoded.width}x{decoded.height}"
            upright = SOUND.get(row["file"]) or row["cv2_size"] or row["pillow_size"]
            verdict = "decoded" if size == upright else f"decoded as {size}"
        if verdict != expected(row):
            wrong.append((row["file"], row["what"], verdict))
    assert len(manifest) >= 80
    assert not wrong


def test_the_report_names_every_bad_file(manifest):
    files = {row["file"]: (FOLDER / row["file"]).read_bytes() for row in manifest}
    table = inspect_all(files, list(files), 2).set_index("Path")
    refused = {row["file"] for row in manifest if expected(row) == "refused"}
    assert set(table.index[table["Problem"] != ""]) == refused
    assert not table["Problem"].str.contains("\n|BytesIO").any()
