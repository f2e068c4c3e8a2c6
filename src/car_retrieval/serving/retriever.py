"""Photos in, the most similar cars out."""

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
from car_retrieval.serving.filters import Where
from car_retrieval.serving.search_result import Answer, Match

__all__ = ["Answer", "Crop", "Match", "Retriever", "Where"]

Crop = tuple[int, int, int, int]
"""x1, y1, x2, y2 in pixels of the upright photo, counted from 1, both corners included."""

Auto = Literal["auto"]
AUTO: Auto = "auto"
"""Instead of a crop: the part that `Retriever.propose` proposes."""

CANDIDATES = 200  # of LOPQ at least, ranked again exactly
PER_HIT = 10  # and so many for each hit that is wanted
ALWAYS_EXACT = 10_000  # up to so many rows exact search is no slower


class Retriever:
    """A gallery, and the encoder that describes photos as the gallery was described.

    `car_retrieval.serving.run_artifacts.open_retriever` makes it of a run's results. All methods
    may be called by several threads.

    Args:
        versions: of the descriptors and of what was made of them; the newest is that of the run.
        photos: of the gallery; the row is the Index.
        files: their bytes by path.
        vectors: float32 [n, D], their descriptors; they stay on disk, mapped to memory.
        encoder: what made them, in evaluation mode on its device.
        whitening: what came after it.
        packing: how the photos were packed.
        index: of all vectors; None: there is exact search only.
        threshold: similarity below which there is no match.
        batch_size: photos described at a time.

    Attributes:
        untrained: a line for readers where the network was not trained on these photos.
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
        """Pack a photo exactly as the gallery's were.

        A file of the gallery is cut to its labelled box if they were, unless a crop is given.

        Args:
            photo: a file, its bytes, or an opened picture.
            crop: the part of it to search with; `auto`: the one that `propose` gives.

        Returns:
            uint8 [3, R, R].

        Raises:
            UnreadableImageError: it is not a complete picture; the caller knows its name.
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
        pixels, width, height = _decoded(photo, self._packing.decoded_size, box)
        if box:
            crops.check_inside(box, width, height)
        return square(pixels, self._packing)

    def propose(self, photo: Path | str | bytes | Image.Image) -> Crop | None:
        """Propose the part of a photo that shows its car, as the gallery's boxes do.

        Args:
            photo: a file, its bytes, or an opened picture.

        Returns:
            The labelled box of a file of the gallery, or else where a car is seen in it;
            None, the whole photo, where the gallery's photos were not cropped or no car is
            seen.

        Raises:
            UnreadableImageError: it is not a complete picture; the caller knows its name.
            OSError: the file cannot be read.
        """
        if self._boxes is None or np.isnan(self._boxes).all():
            return None
        if not isinstance(photo, bytes | Image.Image):
            photo = Path(photo).read_bytes()
        box = self._labelled_box(photo) if isinstance(photo, bytes) else None
        if box is None:
            pixels, width, height = _decoded(photo, DECODED)
            box = propose_box(pixels)
            box = box and crops.scaled(box, pixels.shape[1], pixels.shape[0], width, height)
        return None if box is None else (int(box.x1), int(box.y1), int(box.x2), int(box.y2))

    def describe(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Describe packed images uint8 [n, 3, R, R] as float32 [n, D] of unit length."""
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
        where: Where = Where(),  # noqa: B008  # frozen
        exclude: Sequence[int] | None = None,
    ) -> list[Answer]:
        """The most similar photos of the gallery for each descriptor.

        Only rows that fit are searched. `lopq` ranks its candidates by their exact similarity, and
        few rows are searched exactly whatever the method.

        Args:
            descriptors: float32 [q, D] of `describe` or `descriptor`.
            k: matches wanted; fewer where fewer photos fit.
            method: one of `methods`.
            where: what matches must be.
            exclude: rows that are not to be found.

        Raises:
            ValueError: k is less than 1, there is no such method, make or model.
            IndexError: a row is excluded that the gallery has not.
        """
        check_positive(k=k)
        if method not in ("exact", "lopq"):
            raise ValueError(f"there is no method '{method}': choose exact or lopq")
        if method not in self.methods:
            raise ValueError(
                "there is no LOPQ index of these descriptors: run the pipeline evaluation, or "
                "search with the method exact"
            )
        descriptors = np.ascontiguousarray(np.atleast_2d(descriptors), np.float32)
        fits = where.fits(self.photos)
        fits[[self._checked(row) for row in exclude or ()]] = False
        rows = np.flatnonzero(fits)
        if self._index is None or method == "exact" or len(rows) <= ALWAYS_EXACT:
            queries = np.arange(len(descriptors))
            found = Gallery(self._vectors, rows).search(queries, descriptors, min(k, len(fits)))
            return self._answers(found.hits, found.scores)
        wanted = max(CANDIDATES, PER_HIT * k) * len(fits) / len(rows)
        hits, _ = self._index.search(descriptors, min(math.ceil(wanted), len(fits)))
        hits = np.where(fits[hits], hits, -1)  # -1, none, stays -1 whatever the last row is
        return self._answers(*rerank(descriptors, hits, self._vectors, k))

    def image(self, row: int) -> bytes:
        """The file of a photo of the gallery."""
        path = self.photos["Path"].iloc[self._checked(row)]
        try:
            return self.files[path]
        except KeyError:
            raise FileNotFoundError(f"{path} is no longer among the gallery's photos") from None

    def packed(self, row: int) -> NDArray[np.uint8]:
        """A photo of the gallery, packed as it was described: uint8 [3, R, R]."""
        decoded = decode(self.image(row), self._packing.decoded_size, self._box(row))
        return square(decoded.pixels, self._packing)

    def descriptor(self, row: int) -> NDArray[np.float32]:
        """The descriptor float32 [D] of a photo of the gallery."""
        return np.array(self._vectors[self._checked(row)])

    def heat(self, image: NDArray[np.uint8], other: NDArray[np.float32]) -> NDArray[np.float32]:
        """Where a packed image [3, R, R] is similar to a descriptor [D]: float32 [R, R].

        Below 0 where it speaks against it; see `car_retrieval.explain.heat_map`.
        """
        pixels = torch.from_numpy(image).to(self._device)
        goal = torch.from_numpy(np.ascontiguousarray(other, np.float32)).to(self._device)
        return heat_map(self._encoder, pixels, goal, self._whitening).cpu().numpy()

    def _answers(self, hits: NDArray[np.int64], scores: NDArray[np.float32]) -> list[Answer]:
        return [self._answer(*pair) for pair in zip(hits, scores, strict=True)]

    def _answer(self, hits: NDArray[np.int64], scores: NDArray[np.float32]) -> Answer:
        found = hits >= 0
        matches = [
            self._match(int(row), float(score))
            for row, score in zip(hits[found], scores[found], strict=True)
        ]
        reached = None
        if matches and self.threshold is not None:
            reached = matches[0].similarity >= self.threshold
        return Answer(matches, self.threshold, reached)

    def _match(self, row: int, similarity: float) -> Match:
        photo, names = self.photos.iloc[row], self._names.iloc[row]
        make, model, year = (None if pd.isna(value) else value for value in names)
        year = None if year is None else int(year)
        class_ = int(photo["Class"]) if self.labelled else None
        return Match(row, photo["Path"], similarity, class_, make, model, year)

    def _labelled_box(self, data: bytes) -> Box | None:
        """The box of the gallery's photo that is this very file, if it is one."""
        row = self._row_of.get(digest_of(data))
        return None if row is None else self._box(row)

    def _box(self, row: int) -> Box | None:
        if self._boxes is None or np.isnan(self._boxes[row]).any():
            return None
        return Box(*self._boxes[row])

    def _checked(self, row: int) -> int:
        if not 0 <= row < len(self.photos):
            raise IndexError(f"the gallery has rows 0 to {len(self.photos) - 1}, not {row}")
        return row


def _decoded(photo: bytes | Image.Image, min_size: int, box: Box | None = None) -> Decoded:
    """Decode a photo, or the box of it; an opened picture at its full size."""
    if isinstance(photo, bytes):
        return decode(photo, min_size, box)
    pixels = upright_rgb(photo)
    height, width = pixels.shape[:2]
    return Decoded(crops.crop(pixels, box, width, height) if box else pixels, width, height)
