"""The makes and models of the drawn world: a class is a shape, never a colour."""

from dataclasses import dataclass

import numpy as np

from car_retrieval.sample.names import make_name, model_name
from car_retrieval.sample.traits import BODIES, CREASES, EMBLEMS, FOGS, GRILLES, INTAKES, LAMPS


@dataclass(frozen=True)
class CarModel:
    """One class: who it is, and every trait of shape that its photos share.

    The body's measures are metres, as are the emblem's and the mirrors'. Parts of the face are
    shares of half the car's width, or of the height from the sill to the bonnet's edge.
    """

    make_id: int
    model_id: int
    make_name: str
    model_name: str
    years: tuple[int, int]
    body: str
    length: float
    width: float
    height: float
    clearance: float
    bonnet: float
    rake: float
    boot: float
    rear_rake: float
    belt: float
    nose: float
    roof_width: float
    roundness: float
    wheel: float
    spokes: int
    grille: str
    grille_width: float
    grille_height: float
    grille_drop: float
    lamp: str
    lamp_width: float
    lamp_height: float
    lamp_drop: float
    lamp_slant: float
    fog: str
    intake: str
    intake_width: float
    emblem: str
    emblem_size: float
    mirror_width: float
    mirror_height: float
    creases: str
    cladding: bool
    rails: bool


def make_catalogue(models: int, seed: int) -> tuple[CarModel, ...]:
    """Invent the models, ordered by rank: the first will have the most photos.

    Models of a make share the grille and the emblem, and often the lamps: siblings look alike.
    Model ids are global and leave gaps; the first rank has the lowest id (a uint8), the last
    rank the highest (a uint16).

    Args:
        models: How many models, at least 3.
        seed: Seed of the whole world.

    Returns:
        The models in rank order.
    """
    # Photos are seeded by [seed, model id, …]: no model has the id 0.
    rng = np.random.default_rng([seed, 0, models])
    makes = max(2, round(models**0.68))
    styles = [
        (
            GRILLES[(make + 5 * (make // len(GRILLES))) % len(GRILLES)],
            EMBLEMS[(3 * make + make // len(GRILLES)) % len(EMBLEMS)],
            LAMPS[int(rng.integers(len(LAMPS)))],
        )
        for make in range(makes)
    ]
    ids = _model_ids(models, rng)
    bodies = list(BODIES)
    return tuple(
        _model(
            rank=rank,
            make=rank % makes,
            model_id=ids[rank],
            body=bodies[(rank // makes + 2 * (rank % makes)) % len(bodies)],
            style=styles[rank % makes],
            rng=np.random.default_rng([seed, 0, models, 1 + rank]),
        )
        for rank in range(models)
    )


def _model_ids(models: int, rng: np.random.Generator) -> list[int]:
    highest = max(300, models * 7 // 6)
    low = np.arange(models) * highest // models
    high = (np.arange(models) + 1) * highest // models
    ids = 1 + rng.integers(low, high)
    ids[-1] = highest
    return [int(ids[0]), *(int(i) for i in rng.permutation(ids[1:-1])), highest]


def _model(
    rank: int,
    make: int,
    model_id: int,
    body: str,
    style: tuple[str, str, str],
    rng: np.random.Generator,
) -> CarModel:
    def near(value: float, spread: float) -> float:
        return round(value * (1 + spread * float(rng.uniform(-1, 1))), 3)

    def between(low: float, high: float) -> float:
        return round(float(rng.uniform(low, high)), 3)

    def one_of(names: tuple[str, ...]) -> str:
        return names[int(rng.integers(len(names)))]

    usual = BODIES[body]
    grille, emblem, family_lamp = style
    first_year = int(rng.integers(2006, 2014))
    height = near(usual.height, 0.07)
    belt = round(near(usual.belt, 0.04) * height, 3)
    return CarModel(
        make_id=make + 1,
        model_id=model_id,
        make_name=make_name(make),
        model_name=model_name(make, body, rank),
        years=(first_year, first_year + 2),
        body=body,
        length=near(usual.length, 0.06),
        width=near(usual.width, 0.05),
        height=height,
        clearance=near(usual.clearance, 0.15),
        bonnet=near(usual.bonnet, 0.08),
        rake=near(usual.rake, 0.15),
        boot=near(usual.boot, 0.2),
        rear_rake=near(usual.rear_rake, 0.2),
        belt=belt,
        nose=round(belt * between(0.72, 0.92), 3),
        roof_width=between(0.58, 0.86),
        roundness=between(0.16, 0.34),
        wheel=near(usual.wheel, 0.08),
        spokes=int(rng.integers(5, 9)),
        grille=grille,
        grille_width=between(0.36, 0.68),
        grille_height=between(0.24, 0.48),
        grille_drop=between(0.03, 0.14),
        lamp=family_lamp if rng.random() < 0.45 else one_of(LAMPS),
        lamp_width=between(0.22, 0.36),
        lamp_height=between(0.19, 0.36),
        lamp_drop=between(0.04, 0.2),
        lamp_slant=between(-0.06, 0.3),
        fog=one_of(FOGS),
        intake=one_of(INTAKES),
        intake_width=between(0.4, 0.75),
        emblem=emblem,
        emblem_size=between(0.057, 0.099),
        mirror_width=between(0.16, 0.32),
        mirror_height=between(0.11, 0.2),
        creases=one_of(CREASES),
        cladding=bool(rng.random() < usual.trim),
        rails=bool(rng.random() < usual.rails),
    )
