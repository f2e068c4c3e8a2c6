"""Nine headlamps. Half sizes in metres, the origin in the middle, the outer end at +x."""

from collections.abc import Callable

from car_retrieval.sample.brush import Colour
from car_retrieval.sample.camera import Points
from car_retrieval.sample.patches import BEZEL, BULB, STEEL, Patch, moved
from car_retrieval.sample.shapes import ellipse, place, polygon, rounded


def _lamp(outline: Points, glass: Colour, bulbs: list[tuple[float, float, float]]) -> list[Patch]:
    patches = [(outline * 1.1, BEZEL), (outline, glass)]
    for x, y, radius in bulbs:
        patches.append((place(ellipse(radius, radius, 12), x, y), STEEL))
        patches.append((place(ellipse(radius * 0.7, radius * 0.7, 12), x, y), BULB))
    return patches


def _lamp_round(w: float, h: float, glass: Colour) -> list[Patch]:
    r = (w + h) / 2
    return _lamp(ellipse(r, r), glass, [(0, 0, r * 0.55)])


def _lamp_oval(w: float, h: float, glass: Colour) -> list[Patch]:
    return _lamp(ellipse(w, h), glass, [(-w * 0.3, 0, h * 0.5), (w * 0.4, 0, h * 0.4)])


def _lamp_block(w: float, h: float, glass: Colour) -> list[Patch]:
    return _lamp(rounded(w, h, 0.03), glass, [(-w * 0.4, 0, h * 0.55), (w * 0.45, 0, h * 0.5)])


def _lamp_wedge(w: float, h: float, glass: Colour) -> list[Patch]:
    outline = polygon((-1, -0.9), (0.9, -0.5), (1.1, 1), (-0.6, 0.15)) * (w, h)
    return _lamp(outline, glass, [(w * 0.45, 0, h * 0.42)])


def _lamp_drop(w: float, h: float, glass: Colour) -> list[Patch]:
    outline = polygon((-1, -1), (0.1, -1.05), (0.8, -0.5), (1, 0.4), (0.8, 1.3), (-0.3, 0.2))
    return _lamp(
        outline * (w, h), glass, [(-w * 0.2, -h * 0.45, h * 0.42), (w * 0.5, 0.1 * h, h * 0.42)]
    )


def _lamp_split(w: float, h: float, glass: Colour) -> list[Patch]:
    upper = _lamp(rounded(w, h * 0.3, 0.02), glass, [])
    lower = _lamp(rounded(w * 0.55, h * 0.5, 0.05), glass, [(0, 0, h * 0.38)])
    return moved(upper, 0, h * 0.7) + moved(lower, -w * 0.1, -h * 0.6)


def _lamp_twin(w: float, h: float, glass: Colour) -> list[Patch]:
    r = min(h, w * 0.52)
    ring = _lamp(ellipse(r, r, 16), glass, [(0, 0, r * 0.5)])
    return moved(ring, -w * 0.52, 0) + moved(ring, w * 0.52, 0)


def _lamp_hook(w: float, h: float, glass: Colour) -> list[Patch]:
    outline = polygon((-1, 0.1), (0.1, 0.2), (0.2, -1.2), (1, -0.9), (1, 1), (-1, 0.9)) * (w, h)
    return _lamp(outline, glass, [(w * 0.6, h * 0.3, h * 0.36)])


def _lamp_slit(w: float, h: float, glass: Colour) -> list[Patch]:
    outline = polygon((-1.15, -0.45), (1.1, -0.2), (1.1, 0.55), (-1.15, 0.05)) * (w, h)
    return _lamp(outline, glass, [])


LAMP_SHAPES: dict[str, Callable[[float, float, Colour], list[Patch]]] = {
    "round": _lamp_round, "oval": _lamp_oval, "block": _lamp_block, "wedge": _lamp_wedge,
    "drop": _lamp_drop, "split": _lamp_split, "twin": _lamp_twin, "hook": _lamp_hook,
    "slit": _lamp_slit,
}  # fmt: skip
