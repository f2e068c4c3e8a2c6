"""Which distance of looks tells one picture from two, and how long looking takes.

    kedro run --pipelines=data_processing
    python benchmarks/near_duplicates.py [--env independent] [--sizes 67732 250000]

Counts the pairs of an environment's gallery by the bits in which their looks differ, and times the
search for near-duplicates among made-up photos: the looks of the gallery with 14 random bits
flipped, 40 photos a class.
"""

import argparse
import time

import numpy as np
import pandas as pd
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from car_retrieval.data.near_duplicates import MOST_BITS, close_pairs, near_elsewhere, near_groups

DISTANCE, FLIPS, PHOTOS_PER_CLASS = 5, 14, 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env", default="local")
    parser.add_argument("--sizes", type=int, nargs="*", default=[67_732, 250_000])
    arguments = parser.parse_args()
    bootstrap_project(".")
    photos = KedroSession.create(env=arguments.env).load_context().catalog.load("gallery_photos")
    bits = np.array([list(bytes.fromhex(look)) for look in photos["DHash"]], np.uint8)
    print(f"{len(photos):,} photos of {photos['Class'].nunique():,} classes")
    for distance, (pairs, same) in enumerate(by_distance(bits, photos["Class"].to_numpy())):
        print(f"{distance} bits: {pairs} pairs, {same} of one class")
    for size in arguments.sizes:
        table = made_up(bits, size)
        for find in (near_groups, near_elsewhere):
            start = time.perf_counter()
            find(table, DISTANCE)
            print(f"{size:,} photos: {find.__name__} {time.perf_counter() - start:.1f} s")


def by_distance(bits: np.ndarray, classes: np.ndarray) -> list[tuple[int, int]]:
    """Pairs, and pairs of one class, that differ in exactly 0, 1, … bits."""
    counts = np.zeros((MOST_BITS + 1, 2), int)
    for one, other in close_pairs(bits, bits, MOST_BITS):
        one, other = one[one < other], other[one < other]
        differing = np.bitwise_count(bits[one] ^ bits[other]).sum(axis=1)
        np.add.at(counts[:, 0], differing, 1)
        np.add.at(counts[:, 1], differing[classes[one] == classes[other]], 1)
    return [tuple(row) for row in counts.tolist()]


def made_up(bits: np.ndarray, size: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    looks = np.unpackbits(bits[rng.integers(0, len(bits), size)], axis=1)
    looks[np.arange(size)[:, None], rng.integers(0, 64, (size, FLIPS))] ^= 1
    names = [row.tobytes().hex() for row in np.packbits(looks, axis=1)]
    classes = rng.integers(0, size // PHOTOS_PER_CLASS, size)
    return pd.DataFrame({"Class": classes, "DHash": names, "Hash": names})


if __name__ == "__main__":
    main()
