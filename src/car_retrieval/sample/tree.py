"""A miniature CompCars, file by file, in the true form of the release and with its oddities."""

from collections.abc import Iterator, Sequence

import numpy as np
from tqdm import tqdm

from car_retrieval.sample.mats import make_model_names, surveillance_names
from car_retrieval.sample.models import CarModel, make_catalogue
from car_retrieval.sample.pool import draw_all
from car_retrieval.sample.shots import ODDITIES, File, Oddity, Shot, SurveillanceShot, WebShot

MIN_SURVEILLANCE = 4  # photos of a model, so that both lists hold it
LITTER: tuple[File, ...] = (
    ("data/image/.DS_Store", b"\0\0\0\1Bud1" + bytes(24)),
    ("data/label/.DS_Store", b"\0\0\0\1Bud1" + bytes(24)),
    ("sv_data/image/1/Thumbs.db", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(24)),
)


def compcars_tree(
    *,
    models: int = 30,
    web_photos: int = 900,
    surveillance_photos: int = 300,
    surveillance_models: int = 20,
    width: int = 192,
    seed: int = 7,
    workers: int | None = None,
) -> Iterator[File]:
    """Draw `data/` and `sv_data/` of a miniature CompCars (Yang et al., CVPR 2015).

    The models are ranked by their number of web photos. The last but one has a single web
    photo, the last none: it is known from surveillance only. A photo depends on the number of
    models, its own model, its own number, the width and the seed, not on other photos.

    Args:
        models: Models in the table of names, at least 3.
        web_photos: JPEG files below `data/image/`.
        surveillance_photos: JPEG files below `sv_data/image/`.
        surveillance_models: Models among the surveillance photos.
        width: Typical width of a web photo, pixels.
        seed: The same seed draws the same bytes.
        workers: Processes that draw; None is one per core, 1 draws in this process.

    Returns:
        Relative path and content of each file, one at a time.

    Raises:
        ValueError: There are too few models or photos to hold the oddities of the release.
    """
    if models < 3:
        raise ValueError(f"models: {models}; a sample needs at least 3")
    if not 2 <= surveillance_models < models:
        raise ValueError(
            f"surveillance_models: {surveillance_models}; {models} models allow 2 to {models - 1}"
        )
    if surveillance_photos < MIN_SURVEILLANCE * surveillance_models:
        raise ValueError(
            f"surveillance_photos: {surveillance_photos}; {surveillance_models} models need at "
            f"least {MIN_SURVEILLANCE * surveillance_models}"
        )
    sizes = class_sizes(models, web_photos)
    if sizes[0] < len(ODDITIES):
        raise ValueError(
            f"web_photos: {web_photos}; too few for {models} models: the largest would have "
            f"{max(sizes[0], 0)} photos and needs {len(ODDITIES)} for the oddities"
        )
    cars = make_catalogue(models, seed)
    surveyed = _surveillance_models(cars, surveillance_models, surveillance_photos, seed)
    web = _web_shots(cars, sizes, seed, width)
    surveillance = [
        SurveillanceShot(car, folder, number, seed, width)
        for folder, (car, size) in enumerate(surveyed, start=1)
        for number in range(size)
    ]
    return _files(cars, [car for car, _ in surveyed], web, surveillance, workers)


def class_sizes(models: int, web_photos: int) -> list[int]:
    """Web photos per rank: skewed, then a class of one photo, then a class of none."""
    return [*_apportion(web_photos - 1, models - 2, 1), 1, 0]


def _apportion(total: int, classes: int, least: int) -> list[int]:
    """Share out a total in falling sizes, none below `least`."""
    weights = np.sqrt(np.arange(classes, 0, -1))
    edges = np.rint((total - least * classes) * np.cumsum(weights) / weights.sum())
    return [least + int(size) for size in np.diff(edges, prepend=0)]


def _surveillance_models(
    cars: Sequence[CarModel], count: int, photos: int, seed: int
) -> list[tuple[CarModel, int]]:
    """The models of folders 1, 2 …, each with its number of photos; one has no web photo."""
    ranks = np.linspace(0, len(cars) - 3, count - 1).astype(int).tolist()
    pairs = [(cars[rank], size) for rank, size in zip(
        [*ranks, len(cars) - 1], _apportion(photos, count, MIN_SURVEILLANCE), strict=True
    )]  # fmt: skip
    return [pairs[i] for i in np.random.default_rng([seed, 0, 0, count]).permutation(count)]


def _web_shots(
    cars: Sequence[CarModel], sizes: Sequence[int], seed: int, width: int
) -> list[WebShot]:
    shots = []
    for rank, (car, size) in enumerate(zip(cars, sizes, strict=True)):
        # One of the second model's files is the twin of a photo of the first.
        for number in range(size - (rank == 1)):
            oddity = Oddity(viewpoint=1) if size == 1 else Oddity()
            if rank == 0 and number < len(ODDITIES):
                oddity = ODDITIES[number]
            twin = cars[1] if oddity.twin else None
            shots.append(WebShot(car, number, seed, width, oddity, twin))
    return shots


def _files(
    cars: Sequence[CarModel],
    surveyed: Sequence[CarModel],
    web: list[WebShot],
    surveillance: list[SurveillanceShot],
    workers: int | None,
) -> Iterator[File]:
    yield "data/misc/make_model_name.mat", make_model_names(cars)
    yield "sv_data/sv_make_model_name.mat", surveillance_names(surveyed)
    # Three of each ten, counted through all models: 30 % on the whole.
    tested = [3 * place % 10 < 3 for place in range(len(surveillance))]
    for part, wanted in (("train", False), ("test", True)):
        chosen = zip(surveillance, tested, strict=True)
        lines = [f"{shot.path}\n" for shot, is_test in chosen if is_test == wanted]
        yield f"sv_data/{part}_surveillance.txt", "".join(lines).encode()
    yield from LITTER
    shots: list[Shot] = [*web, *surveillance]
    with tqdm(total=len(shots), desc="drawing photos", unit="photo", disable=None) as progress:
        for files in draw_all(shots, workers):
            progress.update()
            yield from files
