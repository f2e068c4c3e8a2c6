"""The stage a car stands on: a picture with a camera, a horizon and a ground."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from car_retrieval.sample.brush import Colour
from car_retrieval.sample.camera import Camera, Points

Item = TypeVar("Item")


@dataclass(frozen=True)
class Stage:
    """The picture behind the car, and the camera that sees it."""

    image: Image.Image
    camera: Camera

    @cached_property
    def horizon(self) -> int:
        """The row where the ground ends, at the picture's middle."""
        far = replace(self.camera, yaw=0.0).project(np.array([0.0, 0.0, -400.0]))
        return int(np.clip(np.rint(far[1]), -self.image.height, 2 * self.image.height))

    @cached_property
    def draw(self) -> ImageDraw.ImageDraw:
        """A pencil for the picture."""
        return ImageDraw.Draw(self.image)

    def ground(self, left: float, right: float, far: float, near: float, colour: Colour) -> None:
        """Fill a strip of the ground that runs towards the viewer, metres from the car."""
        near = min(near, self.camera.distance - 1.2)
        corners = [(left, far), (right, far), (right, near), (left, near)]
        points = np.array([[x, 0.0, z] for x, z in corners])
        pixels = np.rint(replace(self.camera, yaw=0.0).project(points)).astype(int).tolist()
        self.draw.polygon([(x, y) for x, y in pixels], fill=colour)

    def fade(self, top: int, bottom: int, first: Colour, last: Colour) -> None:
        """Fill the rows from top to bottom with a gradient."""
        top = max(top, 0)
        if bottom <= top:
            return
        share = np.linspace(0, 1, bottom - top)[:, None]
        rows = np.rint(np.array(first) * (1 - share) + np.array(last) * share).astype(np.uint8)
        strip = Image.fromarray(rows[:, None, :])
        self.image.paste(strip.resize((self.image.width, bottom - top)), (0, top))


def paint_shadow(stage: Stage, footprint: Points, strength: float) -> None:
    """Darken the ground under the car; the footprint is a polygon [n, 3] at y = 0."""
    mask = Image.new("L", (stage.image.width // 4 + 1, stage.image.height // 4 + 1))
    pixels = np.rint(stage.camera.project(footprint) / 4).astype(int).tolist()
    ImageDraw.Draw(mask).polygon([(x, y) for x, y in pixels], fill=round(255 * strength))
    soft = mask.filter(ImageFilter.GaussianBlur(max(1, mask.width // 50)))
    whole = soft.resize((soft.width * 4, soft.height * 4)).crop((0, 0, *stage.image.size))
    stage.image.paste((8, 8, 12), mask=whole)


def tint(rng: np.random.Generator, base: Colour, spread: int) -> Colour:
    """Shift each channel of a colour by at most `spread`."""
    shift = rng.integers(-spread, spread + 1, 3)
    values = [int(np.clip(b + s, 0, 255)) for b, s in zip(base, shift, strict=True)]
    return (values[0], values[1], values[2])


def choice(rng: np.random.Generator, items: Sequence[Item]) -> Item:
    """One of the items, each as likely."""
    return items[int(rng.integers(len(items)))]
