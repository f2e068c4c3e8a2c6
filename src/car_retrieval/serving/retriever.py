"""Search of a gallery by photo."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image

from car_retrieval.data.attributes import makes_of, years_of
from car_retrieval.explain.heat_map import heat_map
from car_retrieval.gallery.approximate import ALWAYS_EXACT, GalleryIndex
from car_retrieval.gallery.living import GallerySnapshot, LivingGallery
from car_retrieval.gallery.record import GalleryRecord
from car_retrieval.images.pack import Packing
from car_retrieval.models.encoder import Encoder
from car_retrieval.models.whitening import Whitening
from car_retrieval.search.index import check_positive
from car_retrieval.search.lopq.index import LopqIndex
from car_retrieval.serving.filters import Filters
from car_retrieval.serving.photo_packer import Auto, Crop, PhotoPacker
from car_retrieval.serving.search_result import Match, SearchResult, match_of

__all__ = ["Crop", "Filters", "Match", "Retriever", "SearchResult"]


class Retriever:
    """A searchable gallery, with the encoder that computed its descriptors.

    `car_retrieval.serving.run_artifacts.open_retriever` creates one from the artifacts of a run.
    All methods are thread-safe.

    Args:
        versions: versions of the descriptors, the index and the threshold; the latest one
            identifies the run.
        gallery: photos of the run, with the changes made since.
        files: contents of the gallery files by path.
        encoder: network that computed the descriptors, in evaluation mode on its device.
        whitening: transformation applied to the encoder's output.
        packing: settings with which the gallery photos were packed.
        index: LOPQ index of the descriptors of the run; None allows only exact search.
        threshold: similarity from which a photo counts as a match.
        batch_size: number of photos that the encoder processes at a time.
        untrained: note for the user if the network was not trained on these photos.

    Attributes:
        labelled: whether the photos of the run have classes.
    """

    def __init__(
        self,
        versions: tuple[str, ...],
        gallery: LivingGallery,
        files: Mapping[str, bytes],
        encoder: Encoder,
        whitening: Whitening,
        packing: Packing,
        index: LopqIndex | None = None,
        threshold: float | None = None,
        batch_size: int = 64,
        untrained: str | None = None,
    ) -> None:
        self.versions, self.version = versions, max(versions)
        self.gallery, self.files, self.threshold = gallery, files, threshold
        self.untrained = untrained
        snapshot = gallery.snapshot()
        self.labelled = bool(snapshot.listed["Class"].notna().any())
        self._dimension = snapshot.run_vectors.shape[1]
        self._encoder, self._whitening = encoder, whitening
        self._index = None if index is None else GalleryIndex(index)
        self._batch_size = batch_size
        self._device = next(encoder.parameters()).device
        self._packer = PhotoPacker(gallery, packing)
        self.methods = ["exact"] if index is None else ["exact", "lopq"]

    @property
    def makes(self) -> list[str]:
        """Makes of the gallery photos, sorted."""
        return sorted(makes_of(self._present()).dropna().unique())

    @property
    def years(self) -> tuple[int, int] | None:
        """First and last year of the gallery photos; None if none has a year."""
        dated = years_of(self._present()).dropna()
        return (int(dated.min()), int(dated.max())) if len(dated) else None

    def prepare(
        self, photo: Path | str | bytes | Image.Image, crop: Crop | Auto | None = None
    ) -> NDArray[np.uint8]:
        """Pack a photo with the settings of the gallery; see `PhotoPacker.prepare`."""
        return self._packer.prepare(photo, crop)

    def propose(self, photo: Path | str | bytes | Image.Image) -> Crop | None:
        """Propose a crop of a photo to its car; see `PhotoPacker.propose`."""
        return self._packer.propose(photo)

    def describe(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute unit-length descriptors, float32 [n, D], of packed photos, uint8 [n, 3, R, R]."""
        parts = [np.empty((0, self._dimension), np.float32)]
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
        exclude: Sequence[str] = (),
    ) -> list[SearchResult]:
        """Find the most similar gallery photos for each descriptor.

        Only rows that pass the filters are searched. `lopq` re-ranks its candidates by exact
        similarity; a small number of rows is searched exactly with either method.

        Args:
            descriptors: query descriptors, float32 [q, D], from `describe` or `descriptor`.
            k: maximum number of matches per query.
            method: one of `methods`.
            filters: conditions on the matches.
            exclude: ids of gallery photos to leave out.

        Returns:
            A result for each descriptor, in order.

        Raises:
            ValueError: k is less than 1, or the method, make or model is unknown.
            KeyError: `exclude` contains an id that is not in the gallery.
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
        left_out = [self._row(photo) for photo in exclude]
        snapshot = self.gallery.snapshot()  # last, so that it has these rows
        mask = snapshot.present.copy()
        if filters != Filters():
            mask &= filters.mask(snapshot.photos)
        mask[left_out] = False
        rows = np.flatnonzero(mask)
        if self._index is None or method == "exact" or len(rows) <= ALWAYS_EXACT:
            hits, scores = snapshot.search(descriptors, rows, min(k, len(mask)))
        else:
            hits, scores = self._index.search(snapshot, descriptors, rows, k)
        return [self._result(snapshot, *found) for found in zip(hits, scores, strict=True)]

    def image(self, photo: str) -> bytes:
        """Read the file of a gallery photo.

        Raises:
            KeyError: no gallery photo has this id.
            FileNotFoundError: the file no longer exists.
        """
        path = self.record(photo).path
        try:
            return self.files[path]
        except KeyError:
            raise FileNotFoundError(f"the gallery photo {path} no longer exists") from None

    def packed(self, photo: str) -> NDArray[np.uint8]:
        """Pack a gallery photo as it was encoded, uint8 [3, R, R]."""
        return self._packer.packed(self.record(photo), self.image(photo))

    def descriptor(self, photo: str) -> NDArray[np.float32]:
        """Return the descriptor of a gallery photo, float32 [D]."""
        return self.gallery.snapshot().vector(self._row(photo))

    def match(self, photo: str) -> Match:
        """Return a gallery photo as the match that it would be of itself.

        Raises:
            KeyError: no gallery photo has this id.
        """
        return match_of(photo, self.gallery.snapshot().photo(self._row(photo)), 1.0)

    def record(self, photo: str) -> GalleryRecord:
        """Return the path and the labels of a gallery photo.

        Raises:
            KeyError: no gallery photo has this id.
        """
        return self.gallery.snapshot().record(self._row(photo))

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

    def _result(
        self, snapshot: GallerySnapshot, hits: NDArray[np.int64], scores: NDArray[np.float32]
    ) -> SearchResult:
        found = hits >= 0
        matches = [
            match_of(snapshot.ids[row], snapshot.photo(row), float(score))
            for row, score in zip(hits[found].tolist(), scores[found], strict=True)
        ]
        above = None
        if matches and self.threshold is not None:
            above = matches[0].similarity >= self.threshold
        return SearchResult(matches, self.threshold, above)

    def _present(self) -> pd.DataFrame:
        snapshot = self.gallery.snapshot()
        return snapshot.photos[snapshot.present]

    def _row(self, photo: str) -> int:
        row = self.gallery.row_of(photo)
        if row is None:
            raise KeyError(f"no gallery photo has the id {photo}")
        return row
