"""Paints one car, far pieces first, from any side."""

from collections.abc import Callable

import numpy as np

from car_retrieval.sample.body import Body, spread, stacked
from car_retrieval.sample.brush import Brush, Colour, mix
from car_retrieval.sample.cabin import GLASS, paint_cabin
from car_retrieval.sample.camera import Points
from car_retrieval.sample.face import face, tail
from car_retrieval.sample.flank import paint_flank, paint_treads
from car_retrieval.sample.patches import Patch, moved
from car_retrieval.sample.shapes import dense, place, rounded

BED: Colour = (44, 45, 48)
CREASE_ENDS: dict[str, list[tuple[float, float]]] = {
    "none": [],
    "pair": [(0.62, 0.66), (0.5, 0.5)],
    "vee": [(0.3, 0.72)],
    "ridge": [(0.1, 0.12)],
}


def outline(body: Body) -> Points:
    """Points [n, 3] that span the car with its mirrors and wheels: what must fit in a photo."""
    car, half = body.car, body.car.width / 2
    wheels = [[x, 0.0, z] for x in (-half, half) for z in body.axles]
    mirrors = [
        [x, car.belt, body.cowl_z] for x in (-half - car.mirror_width, half + car.mirror_width)
    ]
    skins = [skin.reshape(-1, 3) for skin in (body.front(), body.back(), body.roof())]
    return np.concatenate([*skins, np.array(wheels + mirrors)])


def paint_car(brush: Brush, body: Body, paint: Colour, sign: list[Patch], lit: bool) -> None:
    """Paint the whole car.

    Args:
        brush: Where to paint, with its camera and light.
        body: The model's skin.
        paint: Colour of the bodywork.
        sign: The number plate.
        lit: Whether the headlamps burn.
    """
    across, _, along = brush.camera.turn(np.eye(3))[:, 2]
    ahead, near = bool(along > 0), 1 if across > 0 else -1
    if ahead:
        hidden: tuple[int, ...] = ()
    else:
        hidden = (-near, near) if abs(across) < 0.3 else (-near,)
    paint_treads(brush, body, ahead)
    for side in hidden:
        _mirror(brush, body, paint, side, ahead)
    paint_cabin(brush, body, paint)
    brush.skin(body.deck(), BED if body.car.body == "pickup" else paint)
    brush.skin(body.hood(np.linspace(-1, 1, 11), spread(0, 1, 7)), paint)
    if ahead:
        _creases(brush, body, mix(paint, (0, 0, 0), 0.28))
    if abs(across) > 0.12:
        paint_flank(brush, body, paint, near)
    if ahead:
        brush.skin(body.front(), paint)
        _lay(brush, body.nose, face(body, paint, lit) + moved(sign, 0, body.front_plate))
    else:
        brush.skin(body.back(), paint)
        _lay(brush, body.tail, tail(body, paint) + moved(sign, 0, body.rear_plate))
    for side in (-near, near):
        if side not in hidden:
            _mirror(brush, body, paint, side, ahead)


def _lay(brush: Brush, skin: Callable[[Points, Points], Points], patches: list[Patch]) -> None:
    for flat, colour in patches:
        corners = dense(flat, 4 if len(flat) < 8 else 1)
        laid = skin(corners[:, 0], corners[:, 1])
        if brush.facing(laid):
            brush.fill(laid, colour)


def _creases(brush: Brush, body: Body, shade: Colour) -> None:
    t = np.linspace(0.04, 0.96, 6)
    for low, high in CREASE_ENDS[body.car.creases]:
        for side in (-1, 1):
            brush.line(body.hood(side * (low * (1 - t) + high * t), t), shade, 0.022)


def _mirror(brush: Brush, body: Body, paint: Colour, side: int, ahead: bool) -> None:
    car = body.car
    w, h = car.mirror_width / 2, car.mirror_height / 2
    x = float(body.half_width(car.belt)) * 0.99 + w + 0.03
    flat = place(rounded(w, h, h * 0.8), side * x, car.belt + h + 0.02)
    z = body.cowl_z - 0.22
    arm = np.array([[side * (x - w - 0.1), car.belt, z], [side * x, car.belt + h, z]])
    brush.line(arm, mix(paint, (0, 0, 0), 0.6), 0.05)
    depths = (z - 0.1, z) if ahead else (z, z - 0.1)
    tones = (mix(paint, (0, 0, 0), 0.4), paint if ahead else GLASS)
    for depth, tone in zip(depths, tones, strict=True):
        brush.fill(stacked(flat[:, 0], flat[:, 1], depth), tone)
