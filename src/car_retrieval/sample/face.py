"""What tells one model from another: its front, and its rear, as flat elevations."""

import numpy as np

from car_retrieval.sample.body import Body
from car_retrieval.sample.brush import Colour, mix
from car_retrieval.sample.bumpers import FOG_SHAPES, INTAKE_SHAPES
from car_retrieval.sample.grilles import GRILLE_SHAPES
from car_retrieval.sample.lamps import LAMP_SHAPES
from car_retrieval.sample.patches import BEZEL, CHROME, HOLE, LENS, Patch, moved
from car_retrieval.sample.shapes import box, ellipse, place, polygon, rounded, star

PLATES: tuple[tuple[Colour, Colour], ...] = (
    ((28, 72, 168), (240, 240, 240)),
    ((240, 240, 238), (30, 30, 34)),
    ((238, 190, 40), (30, 30, 34)),
    ((60, 140, 90), (240, 240, 240)),
)


def face(body: Body, paint: Colour, lit: bool) -> list[Patch]:
    """All patches of a model's front, on the front elevation (y from the ground)."""
    car = body.car
    top, low = car.nose, car.clearance
    tall, half = top - low, car.width / 2
    patches: list[Patch] = []
    if car.cladding:
        patches.append((place(box(half * 1.1, 0.13 * tall), 0, low + 0.13 * tall), (52, 53, 56)))
    seam = mix(paint, (0, 0, 0), 0.45)
    patches.append((place(box(half * 0.97, 0.008), 0, low + 0.4 * tall), seam))
    patches += moved(
        INTAKE_SHAPES[car.intake](car.intake_width * half, 0.09 * tall), 0, low + 0.17 * tall
    )
    for mirror in (False, True):
        fog = FOG_SHAPES[car.fog](0.136 * half, 0.1 * tall)
        patches += moved(fog, 0.77 * half, low + 0.24 * tall, 0.0, mirror)
    grille_half = (car.grille_width * half, car.grille_height * tall / 2)
    stretch = 1.6 if car.grille in ("frame", "spindle", "shield") else 1.0
    grille_y = top - car.grille_drop * tall - grille_half[1] * stretch
    grille = GRILLE_SHAPES[car.grille](grille_half[0], grille_half[1] * stretch, paint)
    patches += moved(grille, 0, grille_y)
    lamp_half = (car.lamp_width * half, car.lamp_height * tall / 2)
    lamp_y = top - car.lamp_drop * tall - lamp_half[1]
    for mirror in (False, True):
        lamp = LAMP_SHAPES[car.lamp](*lamp_half, (255, 255, 225) if lit else LENS)
        patches += moved(lamp, 0.97 * half - lamp_half[0], lamp_y, car.lamp_slant, mirror)
    badge = car.emblem_size
    badge_y = grille_y if car.grille not in ("slim", "closed") else top - badge * 1.25
    return patches + moved(emblem(car.emblem, badge), 0, badge_y)


def tail(body: Body, paint: Colour) -> list[Patch]:
    """Patches of the rear: lamps in the shape of the front ones' family, bumper and pipes."""
    car = body.car
    top, low = body.tail_top, car.clearance
    tall, half = top - low, car.width / 2
    red, seam = (190, 28, 34), mix(paint, (0, 0, 0), 0.45)
    patches: list[Patch] = [
        (place(box(half * 1.1, 0.1 * tall), 0, low + 0.1 * tall), (46, 47, 50)),
        (place(box(half * 0.97, 0.008), 0, low + 0.38 * tall), seam),
        (place(box(half * 0.62, 0.007), 0, top - 0.06 * tall), seam),
    ]
    upright = car.lamp in ("split", "hook", "drop", "round")
    w = (0.13 if upright else 0.62 * car.lamp_width) * half
    h = (0.24 if upright else 0.11) * tall
    for mirror in (False, True):
        for part, colour in ((1.12, (70, 12, 16)), (1.0, red), (0.45, (246, 196, 180))):
            shape = rounded(w * part, h * part, 0.03)
            patches.append((place(shape, 0.96 * half - w, top - 0.1 * tall - h, 0, mirror), colour))
        pipe = ellipse(0.045, 0.035, 12)
        patches.append((place(pipe, 0.55 * half, low + 0.08 * tall, 0, mirror), CHROME))
    if car.lamp in ("slit", "block"):
        patches.append((place(box(half * 0.7, 0.018), 0, top - 0.1 * tall - h), (150, 24, 30)))
    return patches


def emblem(kind: str, size: float) -> list[Patch]:
    """The make's badge: a dark rim below a chrome shape."""
    outline = {
        "disc": ellipse(1, 1, 14),
        "diamond": ellipse(0.8, 1.15, 4),
        "triangle": ellipse(1.15, 1.1, 3),
        "bar": box(1.6, 0.42),
        "cross": polygon(
            (-0.35, -1), (0.35, -1), (0.35, -0.35), (1.1, -0.35), (1.1, 0.35), (0.35, 0.35),
            (0.35, 1), (-0.35, 1), (-0.35, 0.35), (-1.1, 0.35), (-1.1, -0.35), (-0.35, -0.35),
        ),
        "square": box(0.9, 0.9),
        "star": star(1.25, 5, 0.5),
        "ring": ellipse(1.15, 1.15, 16),
    }[kind]  # fmt: skip
    patches = [(outline * size * 1.3, BEZEL), (outline * size, CHROME)]
    return [*patches, (outline * size * 0.55, BEZEL)] if kind == "ring" else patches


def plate(rng: np.random.Generator) -> list[Patch]:
    """A number plate; its colour and signs are the photo's, not the model's."""
    ground, ink = PLATES[int(rng.integers(len(PLATES)))]
    signs = [
        (place(box(0.024, 0.034), x, 0.0), ink)
        for x in np.linspace(-0.19, 0.19, 7)
        if rng.random() < 0.9
    ]
    return [(box(0.26, 0.065), HOLE), (box(0.25, 0.057), ground), *signs]
