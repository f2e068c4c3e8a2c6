"""Twelve grilles; the makes share them out. Half sizes in metres, the origin in the middle."""

from collections.abc import Callable

from car_retrieval.sample.brush import Colour, mix
from car_retrieval.sample.patches import CHROME, HOLE, STEEL, Patch, columns, framed, moved, rows
from car_retrieval.sample.shapes import box, ellipse, place, polygon, rounded


def _bars(w: float, h: float, paint: Colour) -> list[Patch]:
    return [*framed(rounded(w, h, 0.03)), *rows(w * 0.9, h, 3, CHROME, 0.011)]


def _slots(w: float, h: float, paint: Colour) -> list[Patch]:
    slots = columns(w, h, 6, HOLE, w / 11)
    return [(rounded(w, h * 1.1, 0.04), mix(paint, CHROME, 0.6)), *slots]


def _kidney(w: float, h: float, paint: Colour) -> list[Patch]:
    patches: list[Patch] = []
    for side in (-1, 1):
        kidney = framed(rounded(w * 0.45, h, 0.09), 0.84)
        kidney += columns(w * 0.36, h * 0.8, 4, STEEL, 0.008)
        patches += moved(kidney, side * w * 0.5, 0)
    return patches


def _frame(w: float, h: float, paint: Colour) -> list[Patch]:
    outline = polygon((-0.62, -1), (0.62, -1), (0.85, 0.35), (0.72, 1), (-0.72, 1), (-0.85, 0.35))
    outline = outline * (w, h)
    return [*framed(outline, 0.92), *rows(w * 0.7, h, 5, STEEL, 0.009)]


def _mesh(w: float, h: float, paint: Colour) -> list[Patch]:
    outline = box(w * 0.72, h, 1.35)
    patches = framed(outline, 0.9, (34, 35, 40))
    patches += columns(w * 0.75, h * 0.8, 7, STEEL, 0.007)
    return [*patches, *rows(w * 0.78, h * 0.9, 3, STEEL, 0.007)]


def _slim(w: float, h: float, paint: Colour) -> list[Patch]:
    return [(box(w * 1.25, h * 0.36, 1.05), HOLE), (box(w * 1.25, 0.016), CHROME)]


def _oval(w: float, h: float, paint: Colour) -> list[Patch]:
    return [*framed(ellipse(w * 0.85, h * 1.05)), *rows(w * 0.66, h, 2, CHROME, 0.014)]


def _wing(w: float, h: float, paint: Colour) -> list[Patch]:
    wing = polygon((0, -1), (1.05, 0.55), (1.05, 1), (0, -0.3), (-1.05, 1), (-1.05, 0.55)) * (w, h)
    ground = polygon((0, -1), (1, 0.5), (1, 1), (-1, 1), (-1, 0.5)) * (w, h)
    return [(ground, HOLE), (wing, CHROME)]


def _spindle(w: float, h: float, paint: Colour) -> list[Patch]:
    corners = (
        (-0.85, -1), (0.85, -1), (0.45, 0.15), (0.7, 1), (-0.7, 1), (-0.45, 0.15),
    )  # fmt: skip
    return [*framed(polygon(*corners) * (w, h), 0.9), *rows(w * 0.45, h, 6, STEEL, 0.008)]


def _closed(w: float, h: float, paint: Colour) -> list[Patch]:
    return [
        (rounded(w, h * 0.8, 0.05), mix(paint, (0, 0, 0), 0.3)),
        (rounded(w * 0.95, h * 0.66, 0.05), mix(paint, (255, 255, 255), 0.12)),
    ]


def _twin(w: float, h: float, paint: Colour) -> list[Patch]:
    slot = framed(rounded(w, h * 0.36, 0.03), 0.9)
    return moved(slot, 0, h * 0.56) + moved(slot, 0, -h * 0.5)


def _shield(w: float, h: float, paint: Colour) -> list[Patch]:
    outline = polygon((0, -1), (0.42, 0.1), (0.5, 1), (-0.5, 1), (-0.42, 0.1)) * (w, h)
    slits: list[Patch] = []
    for side in (-1, 1):
        slits.append((place(rounded(w * 0.24, h * 0.16, 0.02), side * w * 0.8, -h * 0.3), HOLE))
    return [*slits, *framed(outline, 0.88), *rows(w * 0.3, h * 0.6, 3, STEEL, 0.009)]


GRILLE_SHAPES: dict[str, Callable[[float, float, Colour], list[Patch]]] = {
    "bars": _bars, "slots": _slots, "kidney": _kidney, "frame": _frame, "mesh": _mesh,
    "slim": _slim, "oval": _oval, "wing": _wing, "spindle": _spindle, "closed": _closed,
    "twin": _twin, "shield": _shield,
}  # fmt: skip
