"""Record of a gallery photo, and its id."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Any

Value = str | int | float | bool
"""Value of a further field."""
STANDARD = ("class", "make", "model", "year", "path", "id")
"""Names of what every photo may have; all others are further fields."""


def photo_id(path: str) -> str:
    """Return the id of a gallery photo, a hash of its path (BLAKE2b): 16 hex digits.

    It stays the same when the photo or its labels change, and in every run.
    """
    return blake2b(path.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Labels:
    """What is known about a photo; None: unknown.

    Attributes:
        class_: name or number of its class.
        make: name of the make.
        model: name of the model.
        year: model year.
        box: x1, y1, x2, y2 of the car in 1-based pixels of the upright photo, inclusive.
        fields: further values by name.
    """

    class_: str | None = None
    make: str | None = None
    model: str | None = None
    year: int | None = None
    box: tuple[int, int, int, int] | None = None
    fields: Mapping[str, Value] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the known values as JSON."""
        known = {name: value for name, value in asdict(self).items() if value not in (None, {})}
        return json.dumps(known, ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Labels":
        """Restore labels from the result of `to_json`."""
        values: dict[str, Any] = json.loads(text)
        if "box" in values:
            values["box"] = tuple(values["box"])
        return cls(**values)


@dataclass(frozen=True)
class GalleryRecord:
    """A gallery photo and its labels.

    Attributes:
        path: path relative to the folder of the gallery photos; it identifies the photo.
        hash: hash of the file, see `car_retrieval.images.inspect.digest_of`.
        labels: what is known about the photo.
    """

    path: str
    hash: str
    labels: Labels = Labels()

    @property
    def id(self) -> str:
        """Id of the photo, see `photo_id`."""
        return photo_id(self.path)
