"""What the lower bumper carries: fog lamps and air intakes. Half sizes in metres."""

from collections.abc import Callable

from car_retrieval.sample.patches import HOLE, LENS, STEEL, Patch, moved
from car_retrieval.sample.shapes import box, ellipse, polygon, rounded


def _fog_corner(w: float, h: float) -> list[Patch]:
    return [
        (polygon((-1.3, -1), (1.3, -1), (1.1, 1.4)) * (w, h), HOLE),
        (ellipse(w * 0.4, w * 0.4, 10), LENS),
    ]


def _triple(w: float, h: float) -> list[Patch]:
    middle = [(box(w * 0.5, h, 0.9), HOLE)]
    side = [(polygon((-1, -1), (1, -1), (0.6, 1), (-1, 1)) * (w * 0.24, h), HOLE)]
    return middle + moved(side, w * 0.85, 0) + moved(side, w * 0.85, 0, mirror=True)


FOG_SHAPES: dict[str, Callable[[float, float], list[Patch]]] = {
    "none": lambda w, h: [],
    "round": lambda w, h: [
        (ellipse(h * 1.2, h * 1.2, 14), HOLE),
        (ellipse(h * 0.75, h * 0.75, 12), LENS),
    ],
    "slot": lambda w, h: [
        (rounded(w * 1.2, h * 0.7, 0.02), HOLE),
        (rounded(w * 0.7, h * 0.3, 0.01), LENS),
    ],
    "blade": lambda w, h: [(box(w * 0.5, h * 1.8), HOLE), (box(w * 0.18, h * 1.5), LENS)],
    "corner": _fog_corner,
}
INTAKE_SHAPES: dict[str, Callable[[float, float], list[Patch]]] = {
    "none": lambda w, h: [],
    "wide": lambda w, h: [(rounded(w, h * 0.8, 0.03), HOLE), (box(w * 0.95, 0.008), STEEL)],
    "smile": lambda w, h: [(box(w * 0.72, h, 1.35), HOLE), (box(w * 0.8, 0.008), STEEL)],
    "frown": lambda w, h: [(box(w, h, 0.72), HOLE), (box(w * 0.82, 0.008), STEEL)],
    "triple": _triple,
}
