"""Search of a gallery by photo."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image

from car_retrieval.data.attributes import makes_of, models_of, years_of
from car_retrieval.data.photo_table import boxes_of
from car_retrieval.explain.heat_map import heat_map
from car_retrieval.images import crop as crops
from car_retrieval.images.crop import Box
from car_retrieval.images.decode import Decoded, decode, upright_rgb
from car_retrieval.images.inspect import digest_of
from car_retrieval.images.pack import Packing, square
from car_retrieval.io.matrix import Matrix
from car_retrieval.models.car_box import DECODED, propose_box
from car_retrieval.models.encoder import Encoder
from car_retrieval.models.whitening import Whitening
from car_retrieval.search.gallery import Gallery
from car_retrieval.search.index import Index, check_positive
from car_retrieval.search.searcher import rerank
from car_retrieval.serving.filters import Filters
from car_retrieval.serving.search_result import Match, SearchResult

__all__ = ["Crop", "Filters", "Match", "Retriever", "SearchResult"]

Crop = tuple[int, int, int, int]
"""x1, y1, x2, y2 in 1-based pixels of the upright photo, both corners inclusive."""

Auto = Literal["auto"]
AUTO: Auto = "auto"
"""Value of a crop that selects the part returned by `Retriever.propose`."""

CANDIDATES = 200  # minimum number of LOPQ candidates that are re-ranked exactly
PER_HIT = 10  # minimum number of LOPQ candidates for each requested match
ALWAYS_EXACT = 10_000  # largest number of rows for which exact search is not slower than LOPQ


class Retriever:
    """A searchable gallery, with the encoder that computed its descriptors.

    `car_retrieval.serving.run_artifacts.open_retriever` creates one from the artifacts of a run.
    All methods are thread-safe.

    Args:
        versions: versions of the descriptors, the index and the threshold; the latest one
            identifies the run.
        photos: table of the gallery photos; the row number is the Index.
        files: contents of the gallery files by path.
        vectors: descriptors of the gallery, float32 [n, D], memory-mapped from disk.
        encoder: network that computed the descriptors, in evaluation mode on its device.
        whitening: transformation applied to the encoder's output.
        packing: settings with which the gallery photos were packed.
        index: LOPQ index of all descriptors; None allows only exact search.
        threshold: similarity from which a photo counts as a match.
        batch_size: number of photos that the encoder processes at a time.

    Attributes:
        untrained: note for the user if the network was not trained on these photos, else None.
        labelled: whether the photos have classes.
    """

    def __init__(
        self,
        versions: tuple[str, ...],
        photos: pd.DataFrame,
        files: Mapping[str, bytes],
        vectors: Matrix,
        encoder: Encoder,
        whitening: Whitening,
        packing: Packing,
        index: Index | None = None,
        threshold: float | None = None,
        batch_size: int = 64,
    ) -> None:
        self.versions, self.version = versions, max(versions)
        self.photos, self.files, self.threshold = photos, files, threshold
        self.labelled = bool(photos["Class"].notna().any())
        self.untrained: str | None = vectors.attributes.get("untrained")
        self._vectors = np.asarray(vectors.mapped())
        self._encoder, self._whitening, self._packing = encoder, whitening, packing
        self._index, self._batch_size = index, batch_size
        self._device = next(encoder.parameters()).device
        makes, models, years = makes_of(photos), models_of(photos), years_of(photos)
        self._names = pd.DataFrame({"make": makes, "model": models, "year": years})
        self._boxes = None if packing.crop == "none" else boxes_of(photos)
        files_once = photos["Hash"].drop_duplicates()
        self._row_of = dict(zip(files_once, files_once.index.tolist(), strict=True))
        self.makes: list[str] = sorted(makes.dropna().unique())
        dated = years.dropna()
        self.years = (int(dated.min()), int(dated.max())) if len(dated) else None
        self.methods = ["exact"] if index is None else ["exact", "lopq"]

    def prepare(
        self, photo: Path | str | bytes | Image.Image, crop: Crop | Auto | None = None
    ) -> NDArray[np.uint8]:
        """Pack a photo with the settings of the gallery.

        If the gallery was cropped and no crop is given, a file of the gallery is cropped to its
        labelled box.

        Args:
            photo: path, contents of a file, or opened picture.
            crop: part of the photo to search with; `auto`: the part returned by `propose`.

        Returns:
            The packed photo, uint8 [3, R, R].

        Raises:
            UnreadableImageError: the photo is not a complete picture; the message does not name
                the file.
            ValueError: the crop does not lie inside the photo.
            OSError: the file cannot be read.
        """
        if not isinstance(photo, bytes | Image.Image):
            photo = Path(photo).read_bytes()
        if crop == AUTO:
            crop = self.propose(photo)
        box = Box(*crop) if crop else None
        if box is None and isinstance(photo, bytes):
            box = self._labelled_box(photo)
        decoded = _decoded(photo, self._packing.decoded_size, box)
        if box:
            crops.check_inside(box, decoded.width, decoded.height)
        return square(decoded.pixels, self._packing)

    def propose(self, photo: Path | str | bytes | Image.Image) -> Crop | None:
        """Propose a crop of a photo to its car, like the boxes of the gallery.

        Args:
            photo: path, contents of a file, or opened picture.

        Returns:
            The labelled box if the photo is a file of the gallery, otherwise the box of the
            detected car; None if the gallery was not cropped or no car is detected.

        Raises:
            UnreadableImageError: the photo is not a complete picture; the message does not name
                the file.
            OSError: the file cannot be read.
        """
        if self._boxes is None or np.isnan(self._boxes).all():
            return None
        if not isinstance(photo, bytes | Image.Image):
            photo = Path(photo).read_bytes()
        box = self._labelled_box(photo) if isinstance(photo, bytes) else None
        if box is None:
            pixels, width, height, _ = _decoded(photo, DECODED)
            box = propose_box(pixels)
            box = box and crops.scaled(box, pixels.shape[1], pixels.shape[0], width, height)
        return None if box is None else (int(box.x1), int(box.y1), int(box.x2), int(box.y2))

    def describe(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute unit-length descriptors, float32 [n, D], of packed photos, uint8 [n, 3, R, R]."""
        parts = [np.empty((0, self._vectors.shape[1]), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(images), self._batch_size):
                pixels = torch.from_numpy(images[start : start + self._batch_size])
                parts.append(self._whitening(self._encoder(pixels.to(self._device)).cpu().numpy()))
        return np.concatenate(parts)

    def search(
        self,
        descriptors: NDArray[np.float32],
        k: int = 10,
        method: str = "exact",
        filters: Filters = Filters(),  # noqa: B008  # frozen
        exclude: Sequence[int] | None = None,
    ) -> list[SearchResult]:
        """Find the most similar gallery photos for each descriptor.

        Only rows that pass the filters are searched. `lopq` re-ranks its candidates by exact
        similarity; a small number of rows is searched exactly with either method.

        Args:
            descriptors: query descriptors, float32 [q, D], from `describe` or `descriptor`.
            k: maximum number of matches per query.
            method: one of `methods`.
            filters: conditions on the matches.
            exclude: gallery rows to leave out.

        Returns:
            A result for each descriptor, in order.

        Raises:
            ValueError: k is less than 1, or the method, make or model is unknown.
            IndexError: `exclude` contains a row outside the gallery.
        """
        check_positive(k=k)
        if method not in ("exact", "lopq"):
            raise ValueError(f"unknown search method '{method}': choose exact or lopq")
        if method not in self.methods:
            raise ValueError(
                "no LOPQ index for these descriptors: run the pipeline searchers, or use the "
                "method exact"
            )
        descriptors = np.ascontiguousarray(np.atleast_2d(descriptors), np.float32)
        mask = filters.mask(self.photos)
        mask[[self._checked(row) for row in exclude or ()]] = False
        rows = np.flatnonzero(mask)
        if self._index is None or method == "exact" or len(rows) <= ALWAYS_EXACT:
            queries = np.arange(len(descriptors))
            found = Gallery(self._vectors, rows).search(queries, descriptors, min(k, len(mask)))
            return self._results(found.hits, found.scores)
        wanted = max(CANDIDATES, PER_HIT * k) * len(mask) / len(rows)
        hits, _ = self._index.search(descriptors, min(math.ceil(wanted), len(mask)))
        hits = np.where(mask[hits], hits, -1)  # a missing hit, -1, remains -1 in either case
        return self._results(*rerank(descriptors, hits, self._vectors, k))

    def image(self, row: int) -> bytes:
        """Read the file of a gallery photo."""
        path = self.photos["Path"].iloc[self._checked(row)]
        try:
            return self.files[path]
        except KeyError:
            raise FileNotFoundError(f"the gallery photo {path} no longer exists") from None

    def packed(self, row: int) -> NDArray[np.uint8]:
        """Pack a gallery photo as it was encoded, uint8 [3, R, R]."""
        decoded = decode(self.image(row), self._packing.decoded_size, self._box(row))
        return square(decoded.pixels, self._packing)

    def descriptor(self, row: int) -> NDArray[np.float32]:
        """Return the descriptor of a gallery photo, float32 [D]."""
        return np.array(self._vectors[self._checked(row)])

    def heat(self, image: NDArray[np.uint8], other: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map the contribution of each pixel to the similarity with a descriptor.

        Args:
            image: packed photo, uint8 [3, R, R].
            other: descriptor of the other photo, float32 [D].

        Returns:
            Heat map, float32 [R, R]; negative where a pixel lowers the similarity. See
            `car_retrieval.explain.heat_map`.
        """
        pixels = torch.from_numpy(image).to(self._device)
        goal = torch.from_numpy(np.ascontiguousarray(other, np.float32)).to(self._device)
        return heat_map(self._encoder, pixels, goal, self._whitening).cpu().numpy()

    def _results(self, hits: NDArray[np.int64], scores: NDArray[np.float32]) -> list[SearchResult]:
        return [self._result(*pair) for pair in zip(hits, scores, strict=True)]

    def _result(self, hits: NDArray[np.int64], scores: NDArray[np.float32]) -> SearchResult:
        found = hits >= 0
        matches = [
            self._match(int(row), float(score))
            for row, score in zip(hits[found], scores[found], strict=True)
        ]
        above = None
        if matches and self.threshold is not None:
            above = matches[0].similarity >= self.threshold
        return SearchResult(matches, self.threshold, above)

    def _match(self, row: int, similarity: float) -> Match:
        photo, names = self.photos.iloc[row], self._names.iloc[row]
        make, model, year = (None if pd.isna(value) else value for value in names)
        year = None if year is None else int(year)
        class_ = int(photo["Class"]) if self.labelled else None
        return Match(row, photo["Path"], similarity, class_, make, model, year)

    def _labelled_box(self, data: bytes) -> Box | None:
        """Return the labelled box if a file is one of the gallery."""
        row = self._row_of.get(digest_of(data))
        return None if row is None else self._box(row)

    def _box(self, row: int) -> Box | None:
        if self._boxes is None or np.isnan(self._boxes[row]).any():
            return None
        return Box(*self._boxes[row])

    def _checked(self, row: int) -> int:
        if not 0 <= row < len(self.photos):
            raise IndexError(f"row {row} is outside the gallery's rows 0 to {len(self.photos) - 1}")
        return row


def _decoded(photo: bytes | Image.Image, min_size: int, box: Box | None = None) -> Decoded:
    """Decode a photo or a box of it; an opened picture is decoded at full size."""
    if isinstance(photo, bytes):
        return decode(photo, min_size, box)
    pixels = upright_rgb(photo)
    height, width = pixels.shape[:2]
    return Decoded(crops.crop(pixels, box, width, height) if box else pixels, width, height)
