"""One photo of the tree as files: its picture, its label, its place."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from car_retrieval.sample.drawing import draw_photo
from car_retrieval.sample.finish import jpeg
from car_retrieval.sample.models import CarModel

File = tuple[str, bytes]

VIEWPOINTS = (1, 4, 2, 3, 5)
VIEWPOINT_SHARES = (0.55, 0.25, 0.08, 0.06, 0.06)
# Width of the picture relative to the default and height relative to the width: the release's
# four most frequent formats, and a rare portrait.
FORMATS = ((0.94, 0.709), (1.06, 0.69), (0.94, 0.69), (0.94, 0.605), (0.72, 1.33))
FORMAT_SHARES = (0.41, 0.39, 0.1, 0.08, 0.02)


@dataclass(frozen=True)
class Oddity:
    """What one web photo does unlike the others; None leaves it to the photo's generator."""

    viewpoint: int | None = None
    format: tuple[float, float] | None = None
    year: str | None = None
    empty_box: bool = False
    truncated: bool = False
    twin: bool = False


# The oddities of the release, on the first photos of the model that has the most. Those of
# shape, box and file are front views: they must pass through the gallery.
ODDITIES = (
    Oddity(viewpoint=1, format=(0.72, 1.4), year="unknown"),
    Oddity(viewpoint=4, format=(0.8, 1.0), year="5008"),
    Oddity(viewpoint=1, format=(1.0, 0.25)),
    Oddity(viewpoint=1, format=(0.25, 4.0)),
    Oddity(viewpoint=1, empty_box=True),
    Oddity(viewpoint=1, truncated=True),
    Oddity(viewpoint=1, twin=True),
    Oddity(viewpoint=-1),
    Oddity(viewpoint=3),
)


@dataclass(frozen=True)
class WebShot:
    """A web photo that is to be drawn.

    Attributes:
        car: Its model.
        number: Counts the photos of the model.
        seed: Seed of the world.
        width: Default picture width in pixels.
        oddity: What is unusual about it.
        twin: A second model under which the same picture is filed.
    """

    car: CarModel
    number: int
    seed: int
    width: int
    oddity: Oddity = Oddity()
    twin: CarModel | None = None

    def files(self) -> list[File]:
        """Draw the photo: its JPEG and its label, twice if it has a twin."""
        rng = np.random.default_rng([self.seed, self.car.model_id, self.number])
        viewpoint = int(rng.choice(VIEWPOINTS, p=VIEWPOINT_SHARES))
        scale, ratio = FORMATS[int(rng.choice(len(FORMATS), p=FORMAT_SHARES))]
        year: str | int = self.car.years[int(rng.integers(2))]
        quality = int(rng.integers(72, 86))
        odd = self.oddity
        viewpoint, year = odd.viewpoint or viewpoint, odd.year or year
        scale, ratio = odd.format or (scale, ratio)
        photo = draw_photo(self.car, rng, viewpoint, _size(self.width * scale, ratio))
        picture = jpeg(photo.image, quality)
        if odd.truncated:
            picture = picture[: len(picture) // 2]
        x1, y1, x2, y2 = photo.box
        if odd.empty_box:
            x2, y2 = x1, y1
        # The release mixes line ends within one file, in two labels of three.
        first_end = "\n" if self.number % 3 == 2 else "\r\n"
        label = f"{viewpoint}{first_end}1\n{x1} {y1} {x2} {y2}\n".encode()
        name = photo_name("web", self.seed, self.car.model_id, self.number)
        files = []
        for car in filter(None, (self.car, self.twin)):
            place = f"{car.make_id}/{car.model_id}/{year}/{name}"
            files.append((f"data/image/{place}.jpg", picture))
            files.append((f"data/label/{place}.txt", label))
        return files


@dataclass(frozen=True)
class SurveillanceShot:
    """A surveillance photo that is to be drawn; `folder` is the id of the surveillance model."""

    car: CarModel
    folder: int
    number: int
    seed: int
    width: int

    @property
    def path(self) -> str:
        """Its path relative to `sv_data/image/`."""
        name = photo_name("surveillance", self.seed, self.car.model_id, self.number)
        return f"{self.folder}/{name}.jpg"

    def files(self) -> list[File]:
        """Draw the photo: its JPEG alone."""
        rng = np.random.default_rng([self.seed, self.car.model_id, self.number, 1])
        size = _size(self.width * float(rng.uniform(0.66, 0.8)), float(rng.uniform(0.86, 1.0)))
        quality = int(rng.integers(70, 82))
        photo = draw_photo(self.car, rng, 1, size, surveillance=True)
        return [(f"sv_data/image/{self.path}", jpeg(photo.image, quality))]


Shot = WebShot | SurveillanceShot


def photo_name(*key: str | int) -> str:
    """14 lower-case hex digits, as the release names its photos."""
    return blake2b("/".join(map(str, key)).encode(), digest_size=7).hexdigest()


def _size(width: float, ratio: float) -> tuple[int, int]:
    return max(8, round(width)), max(8, round(width * ratio))
