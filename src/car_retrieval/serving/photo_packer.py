"""Pack photos with the settings of a gallery."""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from car_retrieval.data.photo_table import boxes_of
from car_retrieval.gallery.living import GallerySnapshot, LivingGallery
from car_retrieval.gallery.record import GalleryRecord
from car_retrieval.images import crop as crops
from car_retrieval.images.crop import Box
from car_retrieval.images.decode import Decoded, decode, upright_rgb
from car_retrieval.images.inspect import digest_of
from car_retrieval.images.pack import Packing, square
from car_retrieval.models.car_box import DECODED, propose_box

Crop = tuple[int, int, int, int]
"""x1, y1, x2, y2 in 1-based pixels of the upright photo, both corners inclusive."""

Auto = Literal["auto"]
AUTO: Auto = "auto"
"""Value of a crop that selects the part returned by `PhotoPacker.propose`."""


class PhotoPacker:
    """Packs photos as the photos of a gallery were packed.

    Args:
        gallery: the gallery, whose files have labelled boxes.
        packing: settings with which its photos were packed.
    """

    def __init__(self, gallery: LivingGallery, packing: Packing) -> None:
        self.packing = packing
        self._gallery = gallery
        self._cropped = packing.crop != "none" and _has_boxes(gallery.snapshot())

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
        decoded = _decoded(photo, self.packing.decoded_size, box)
        if box:
            crops.check_inside(box, decoded.width, decoded.height)
        return square(decoded.pixels, self.packing)

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
        if not self._cropped:
            return None
        if not isinstance(photo, bytes | Image.Image):
            photo = Path(photo).read_bytes()
        box = self._labelled_box(photo) if isinstance(photo, bytes) else None
        if box is None:
            pixels, width, height, _ = _decoded(photo, DECODED)
            box = propose_box(pixels)
            box = box and crops.scaled(box, pixels.shape[1], pixels.shape[0], width, height)
        return None if box is None else (int(box.x1), int(box.y1), int(box.x2), int(box.y2))

    def packed(self, record: GalleryRecord, data: bytes) -> NDArray[np.uint8]:
        """Pack the file of a gallery photo as it was encoded, uint8 [3, R, R]."""
        decoded = decode(data, self.packing.decoded_size, self._box(record))
        return square(decoded.pixels, self.packing)

    def _labelled_box(self, data: bytes) -> Box | None:
        """Return the labelled box if a file is one of the gallery."""
        record = self._gallery.find_file(digest_of(data))
        return None if record is None else self._box(record)

    def _box(self, record: GalleryRecord) -> Box | None:
        if self.packing.crop == "none" or record.labels.box is None:
            return None
        return Box(*record.labels.box)


def _has_boxes(snapshot: GallerySnapshot) -> bool:
    boxes = boxes_of(snapshot.photos)
    return boxes is not None and not np.isnan(boxes).all()


def _decoded(photo: bytes | Image.Image, min_size: int, box: Box | None = None) -> Decoded:
    """Decode a photo or a box of it; an opened picture is decoded at full size."""
    if isinstance(photo, bytes):
        return decode(photo, min_size, box)
    pixels = upright_rgb(photo)
    height, width = pixels.shape[:2]
    return Decoded(crops.crop(pixels, box, width, height) if box else pixels, width, height)
