"""A brush that paints flat and curved pieces of a car through a camera."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from car_retrieval.sample.camera import Camera, Points

Colour = tuple[int, int, int]


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Blend two colours; `share` is the second's part."""
    blend = [round(a + (b - a) * share) for a, b in zip(first, second, strict=True)]
    return (blend[0], blend[1], blend[2])


@dataclass(frozen=True)
class Light:
    """The light of one photo.

    Attributes:
        direction: Unit vector towards the lamp in the viewer's axes, shape [3].
        ambient: Brightness in full shade, 0 to 1.
        gloss: Strength of the highlight, 0 to 1.
    """

    direction: Points
    ambient: float
    gloss: float


class Brush:
    """Paints polygons given in the car's space, and remembers what it covered."""

    def __init__(self, image: Image.Image, camera: Camera, light: Light) -> None:
        self.camera = camera
        self.light = light
        self.draw = ImageDraw.Draw(image)
        self.low = np.full(2, np.inf)
        self.high = np.full(2, -np.inf)

    def fill(self, points: Points, colour: Colour) -> None:
        """Fill one polygon [n, 3] with a plain colour."""
        self._polygon(self._pixels(points), colour)

    def line(self, points: Points, colour: Colour, width: float) -> None:
        """Draw an open line [n, 3]; the width is in metres."""
        pixels = self._pixels(points)
        thick = max(1, round(width * self.camera.scale / self.camera.distance))
        self.draw.line([(x, y) for x, y in pixels.tolist()], fill=colour, width=thick)

    def box(self, scale: int) -> tuple[int, int, int, int]:
        """What was painted, on the picture reduced by `scale`: x1 y1 x2 y2, 1-based inclusive."""
        limit = np.array(self.draw.im.size) - 1
        low, high = (np.clip(end, 0, limit) // scale + 1 for end in (self.low, self.high))
        return (int(low[0]), int(low[1]), int(high[0]), int(high[1]))

    def facing(self, points: Points) -> bool:
        """Whether a flat piece of skin [n, 3] faces the camera."""
        normal = np.cross(points[1] - points[0], points[len(points) // 2] - points[0])
        return bool(self._seen(_outward(normal, points.mean(axis=0)), points.mean(axis=0)))

    def skin(self, grid: Points, colour: Colour) -> None:
        """Paint a curved surface [rows, columns, 3] in shaded quadrilaterals.

        Pieces that face away are left out; the rest is lit by Lambert's law with a Blinn-Phong
        highlight, and by a sky that brightens what looks up.
        """
        quads = _quads(grid)
        centres = quads.mean(axis=1)
        normals = _outward(np.cross(quads[:, 2] - quads[:, 0], quads[:, 3] - quads[:, 1]), centres)
        seen = self._seen(normals, centres)
        tones = self._shade(normals[seen], colour).tolist()
        for quad, tone in zip(_quads(self._pixels(grid))[seen], tones, strict=True):
            self._polygon(quad, (tone[0], tone[1], tone[2]))

    def _seen(self, normals: Points, centres: Points) -> NDArray[np.bool_]:
        eye = np.array([0.0, 0.0, self.camera.distance])
        towards = eye - self.camera.turn(centres)
        return (self.camera.turn(normals) * towards).sum(axis=-1) > 0

    def _shade(self, normals: Points, colour: Colour) -> Points:
        normals = normals / np.maximum(np.sqrt((normals**2).sum(axis=1)), 1e-9)[:, None]
        up, turned = normals[:, 1], self.camera.turn(normals)
        half = self.light.direction + np.array([0.0, 0.0, 1.0])
        half /= np.sqrt((half**2).sum())
        lit = np.maximum(0, (turned * self.light.direction).sum(axis=1))
        shine = np.maximum(0, (turned * half).sum(axis=1)) ** 24 * self.light.gloss
        tone = self.light.ambient + (1 - self.light.ambient) * lit + 0.22 * up
        paint = np.array(colour) * tone[:, None] + 235 * shine[:, None] + 14 * up[:, None]
        return np.rint(np.clip(paint, 0, 255)).astype(int)

    def _pixels(self, points: Points) -> Points:
        pixels = np.rint(self.camera.project(points)).astype(int)
        flat = pixels.reshape(-1, 2)
        self.low = np.minimum(self.low, flat.min(axis=0))
        self.high = np.maximum(self.high, flat.max(axis=0))
        return pixels

    def _polygon(self, pixels: Points, colour: Colour) -> None:
        self.draw.polygon([(x, y) for x, y in pixels.tolist()], fill=colour)


def _quads(grid: Points) -> Points:
    """The quadrilaterals [n, 4, k] of a grid [rows, columns, k]."""
    corners = [grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]]
    return np.stack(corners, axis=2).reshape(-1, 4, grid.shape[-1])


def _outward(normals: Points, centres: Points) -> Points:
    """Turn normals away from the car's inner axis, which runs along at a height of 0.6 m."""
    inner = np.clip(centres * [0, 0, 1], -1.2, 1.2)
    inner[..., 1] = 0.6
    return normals * np.sign((normals * (centres - inner)).sum(axis=-1))[..., None]
