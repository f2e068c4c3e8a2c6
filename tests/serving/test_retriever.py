"""Query photos are processed like the gallery; searches agree with a naive implementation."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.serving.conftest import PHOTOS, picture

from car_retrieval.explain.heat_map import heat_map
from car_retrieval.gallery import approximate
from car_retrieval.gallery.approximate import GalleryIndex
from car_retrieval.gallery.record import photo_id
from car_retrieval.images.crop import Box
from car_retrieval.images.decode import UnreadableImageError
from car_retrieval.serving import photo_packer
from car_retrieval.serving import retriever as module
from car_retrieval.serving.retriever import Filters, Retriever, SearchResult

EVERY = range(PHOTOS)
ID = [photo_id(f"{row}.jpg") for row in EVERY]


def photos(retriever: Retriever) -> pd.DataFrame:
    return retriever.gallery.snapshot().photos


def files(retriever: Retriever) -> list[Path]:
    return [retriever.files.root / path for path in photos(retriever)["Path"]]  # type: ignore[attr-defined]


def stored(retriever: Retriever) -> np.ndarray:
    return np.stack([retriever.descriptor(ID[row]) for row in EVERY])


def rows(result: SearchResult) -> list[int]:
    return [ID.index(match.id) for match in result.matches]


def test_a_file_of_the_gallery_is_described_as_its_row_and_finds_itself(
    retriever: Retriever,
) -> None:
    given = [file if row % 2 else file.read_bytes() for row, file in enumerate(files(retriever))]
    images = np.stack([retriever.prepare(photo) for photo in given])
    described = retriever.describe(images)
    np.testing.assert_allclose(described, stored(retriever), atol=1e-5)
    for row, result in enumerate(retriever.search(described, k=3)):
        assert result.matches[0].id == ID[row]
        assert result.matches[0].similarity == pytest.approx(1, abs=1e-5)
        assert result.above_threshold


def test_any_other_file_is_used_whole_or_cropped(retriever: Retriever) -> None:
    row = 2  # of those with a box
    data = picture(row) + b"\0"  # the same picture in another file
    box = tuple(int(photos(retriever)[side][row]) for side in ("x1", "y1", "x2", "y2"))
    packed = retriever.packed(ID[row])
    np.testing.assert_array_equal(retriever.prepare(data, box), packed)
    assert (retriever.prepare(data) != packed).any()
    unboxed = 3
    np.testing.assert_array_equal(
        retriever.prepare(picture(unboxed)), retriever.packed(ID[unboxed])
    )


@pytest.mark.parametrize("row", [1, 3, 5, 7])
def test_an_opened_picture_is_packed_as_its_file(retriever: Retriever, row: int) -> None:
    opened = Image.open(io.BytesIO(picture(row)))  # PNG: nothing is lost on the way
    assert opened.getexif()[0x0112] == 1 + row
    whole = (1, 1, int(photos(retriever)["Width"][row]), int(photos(retriever)["Height"][row]))
    np.testing.assert_array_equal(
        retriever.prepare(opened), retriever.prepare(picture(row) + b"\0")
    )
    np.testing.assert_array_equal(
        retriever.prepare(opened, whole), retriever.prepare(picture(row), whole)
    )
    part = (3, 4, 40, 50)
    np.testing.assert_array_equal(
        retriever.prepare(opened, part), retriever.prepare(picture(row), part)
    )


@pytest.mark.parametrize("opened", [False, True])
def test_auto_uses_the_proposed_crop_of_another_photo(
    retriever: Retriever, monkeypatch: pytest.MonkeyPatch, opened: bool
) -> None:
    row = 2
    data = picture(row) + b"\0"
    photo = Image.open(io.BytesIO(data)) if opened else data
    monkeypatch.setattr(photo_packer, "propose_box", lambda pixels: Box(5, 6, 50, 41))
    assert retriever.propose(photo) == (5, 6, 50, 41)
    np.testing.assert_array_equal(
        retriever.prepare(photo, "auto"), retriever.prepare(photo, (5, 6, 50, 41))
    )
    monkeypatch.setattr(photo_packer, "propose_box", lambda pixels: None)
    assert retriever.propose(photo) is None
    np.testing.assert_array_equal(retriever.prepare(photo, "auto"), retriever.prepare(photo))


def test_auto_uses_the_box_of_a_gallery_file(retriever: Retriever) -> None:
    row = 2
    labelled = tuple(int(photos(retriever)[side][row]) for side in ("x1", "y1", "x2", "y2"))
    assert retriever.propose(picture(row)) == labelled
    np.testing.assert_array_equal(
        retriever.prepare(picture(row), "auto"), retriever.packed(ID[row])
    )


def test_the_proposal_of_a_photo_decoded_smaller_is_in_its_full_pixels(
    retriever: Retriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = io.BytesIO()
    Image.new("RGB", (1602, 1201)).save(file, "JPEG")
    seen = []

    def proposed(pixels: np.ndarray) -> Box:
        seen.append(pixels.shape)
        return Box(1, 2, pixels.shape[1], pixels.shape[0])

    monkeypatch.setattr(photo_packer, "propose_box", proposed)
    assert retriever.propose(file.getvalue()) == (1, 2, 1602, 1201)  # pixel 2 is part of both
    assert seen == [(601, 801, 3)]


def test_nothing_is_proposed_where_the_gallery_was_not_cropped(
    retriever: Retriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo_packer, "propose_box", lambda pixels: pytest.fail("it was asked"))
    monkeypatch.setattr(retriever._packer, "_cropped", False)
    assert retriever.propose(picture(2) + b"\0") is None


@pytest.mark.parametrize("crop", [(0, 1, 20, 20), (1, 1, 20, 999), (20, 1, 10, 20), (1, 1, 1, 0)])
@pytest.mark.parametrize("opened", [False, True])
def test_a_crop_that_does_not_lie_inside_is_refused(
    retriever: Retriever, crop: tuple[int, int, int, int], opened: bool
) -> None:
    data = picture(0)
    with pytest.raises(ValueError, match=r"(does not lie inside|holds no pixel of) the picture"):
        retriever.prepare(Image.open(io.BytesIO(data)) if opened else data, crop)


def test_a_file_that_is_not_a_picture_is_refused(retriever: Retriever) -> None:
    with pytest.raises(UnreadableImageError, match="not a picture"):
        retriever.prepare(b"text")
    with pytest.raises(UnreadableImageError, match="cannot be decoded"):
        retriever.prepare(Image.open(io.BytesIO(picture(1)[:400])))
    with pytest.raises(FileNotFoundError):
        retriever.prepare(Path("no such file"))


@given(
    make=st.sampled_from([None, "audi", "SKODA"]),
    years=st.none() | st.tuples(st.integers(1999, 2004), st.integers(2004, 2011)),
    k=st.integers(1, PHOTOS + 5),
    exclude=st.lists(st.integers(0, PHOTOS - 1), max_size=PHOTOS),
    method=st.sampled_from(["exact", "lopq"]),
    few=st.sampled_from([0, module.ALWAYS_EXACT]),
)
def test_search_finds_what_a_loop_finds(
    retriever: Retriever,
    make: str | None,
    years: tuple[int, int] | None,
    k: int,
    exclude: list[int],
    method: str,
    few: int,
) -> None:
    """LOPQ is exact here, as its 200 candidates include the whole gallery."""
    vectors = stored(retriever)
    queries = vectors[[3, 30]]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "ALWAYS_EXACT", few)
        results = retriever.search(
            queries, k, method, Filters(make, None, years), [ID[row] for row in exclude]
        )
    fit = []
    for row, photo in photos(retriever).iterrows():
        named = make is None or str(photo["MakeName"]).lower() == make.lower()
        dated = years is None or str(photo["Year"]) in map(str, range(years[0], years[1] + 1))
        if named and dated and row not in exclude:
            fit.append(row)
    for query, result in zip(queries, results, strict=True):
        scores = {row: float(vectors[row] @ query) for row in fit}
        best = sorted(fit, key=lambda row: -scores[row])[:k]
        assert [match.similarity for match in result.matches] == pytest.approx(
            [scores[row] for row in best], abs=1e-5
        )
        assert set(rows(result)) <= set(fit)
        assert len(set(rows(result))) == len(best)
        for match in result.matches:
            assert match.similarity == pytest.approx(scores[ID.index(match.id)], abs=1e-5)
        assert result.above_threshold == (result.matches[0].similarity >= 0.9 if best else None)


def test_lopq_fetches_more_candidates_when_photos_are_filtered_out(
    retriever: Retriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    assert retriever._index is not None
    index = retriever._index._index

    class Spy:
        def __len__(self) -> int:
            return len(index)

        def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
            asked.append(k)
            return index.search(queries, k)

    monkeypatch.setattr(retriever, "_index", GalleryIndex(Spy()))
    monkeypatch.setattr(module, "ALWAYS_EXACT", 0)
    monkeypatch.setattr(approximate, "CANDIDATES", 4)
    monkeypatch.setattr(approximate, "PER_HIT", 2)
    query = retriever.descriptor(ID[0])[None]
    retriever.search(query, 1, "lopq")
    retriever.search(query, 3, "lopq")
    retriever.search(query, 1, "lopq", Filters(make="skoda"))  # a quarter of the photos
    assert asked == [4, 6, 16]


def test_a_match_has_the_attributes_of_its_photo(retriever: Retriever) -> None:
    results = retriever.search(np.stack([retriever.descriptor(ID[row]) for row in (1, 7)]), k=1)
    first, second = (result.matches[0] for result in results)
    assert (first.id, first.path, first.class_) == (ID[1], "1.jpg", 1)
    assert (first.make, first.model, first.year) == ("Audi", "Audi A6", 2001)
    assert type(first.year) is type(first.class_) is int
    assert (second.make, second.model, second.year) == (None, None, None)
    assert retriever.makes == ["Audi", "Skoda"]
    assert retriever.years == (2000, 2009)
    assert retriever.methods == ["exact", "lopq"]
    assert retriever.image(ID[5]) == picture(5)


def test_a_best_match_below_the_threshold_is_marked(retriever: Retriever) -> None:
    query = retriever.descriptor(ID[0])
    (all_,) = retriever.search(query, k=PHOTOS)
    found = [match.id for match in all_.matches]
    similarities = np.array([match.similarity for match in all_.matches])
    middle = int(np.argmin(np.abs(similarities - similarities.mean())))
    retriever.threshold, kept = float(similarities[middle]), retriever.threshold
    try:
        (at,) = retriever.search(query, exclude=found[:middle])
        (below,) = retriever.search(query, exclude=found[: middle + 1])
    finally:
        retriever.threshold = kept
    assert at.above_threshold is True
    assert below.above_threshold is False
    assert below.matches


def test_concurrent_searches_agree_with_sequential_ones(retriever: Retriever) -> None:
    images = [retriever.packed(ID[row])[None] for row in EVERY]

    def ask(image: np.ndarray) -> list[SearchResult]:
        return retriever.search(retriever.describe(image), 5)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, images)) == [ask(image) for image in images]


def test_no_photos_give_no_descriptors(retriever: Retriever) -> None:
    assert retriever.describe(np.empty((0, 3, 32, 32), np.uint8)).shape == (0, 16)
    assert retriever.search(np.empty((0, 16), np.float32)) == []


def test_the_heat_is_that_of_the_encoder(retriever: Retriever) -> None:
    image, other = retriever.packed(ID[4]), retriever.descriptor(ID[9])
    heat = retriever.heat(image, other)
    wanted = heat_map(retriever._encoder, torch.from_numpy(image), torch.from_numpy(other))
    assert heat.shape == (32, 32)
    assert heat.dtype == np.float32
    np.testing.assert_allclose(heat, wanted.numpy(), atol=1e-6)


def test_invalid_arguments_are_refused(retriever: Retriever) -> None:
    query = retriever.descriptor(ID[0])
    with pytest.raises(ValueError, match="k = 0: it must be at least 1"):
        retriever.search(query, 0)
    with pytest.raises(ValueError, match="method 'best': choose exact or lopq"):
        retriever.search(query, method="best")
    with pytest.raises(ValueError, match="did you mean Skoda"):
        retriever.search(query, filters=Filters(make="skdoa"))
    with pytest.raises(KeyError, match="no gallery photo has the id none"):
        retriever.search(query, exclude=["none"])
    with pytest.raises(KeyError):
        retriever.image("none")
