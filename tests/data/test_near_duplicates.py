import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from car_retrieval.data.near_duplicates import (
    MOST_BITS,
    close_pairs,
    near_copies,
    near_elsewhere,
    near_groups,
    near_in,
)
from car_retrieval.images.difference_hash import difference_hash
from car_retrieval.images.inspect import inspect


def bits_apart(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Photos in clusters: looks some bits off a few centres."""
    centres = draw(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=3))
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from(centres), st.sets(st.integers(0, 63), max_size=9), st.integers(0, 2)
            ),
            max_size=14,
        )
    )
    table = pd.DataFrame(
        {
            "Class": [class_ for _, _, class_ in rows],
            "DHash": [
                f"{centre ^ sum(1 << bit for bit in flipped):016x}" for centre, flipped, _ in rows
            ],
        }
    )
    copies = draw(st.booleans())  # files of one look: copies, or as many files
    table["Hash"] = table["DHash"] if copies else [f"h{row}" for row in range(len(rows))]
    return table.astype({"Class": "int64", "DHash": str, "Hash": str})


@given(tables(), tables(), st.integers(0, MOST_BITS))
def test_close_hashes_are_all_found(one, other, distance):
    searched, found = (
        np.array([list(bytes.fromhex(look)) for look in table["DHash"]], np.uint8).reshape(-1, 8)
        for table in (one, other)
    )
    pairs = [
        pair
        for block in close_pairs(searched, found, distance)
        for pair in zip(*block, strict=True)
    ]
    assert sorted(pairs) == [
        (a, b)
        for a, look in enumerate(one["DHash"])
        for b, close in enumerate(other["DHash"])
        if bits_apart(look, close) <= distance
    ]


def test_blocks_follow_each_other():
    hashes = np.random.default_rng(0).integers(0, 256, (9000, 8), np.uint8)
    blocks = list(close_pairs(hashes, hashes, 0))
    assert len(blocks) == 3
    one, other = (np.concatenate(rows) for rows in zip(*blocks, strict=True))
    assert one.tolist() == other.tolist() == list(range(9000))


@given(tables(), st.integers(0, MOST_BITS))
def test_groups_are_chains_of_close_photos_of_a_class(photos, distance):
    """Against a flood fill, photo by photo."""
    rows = list(photos.itertuples())
    left, expected = set(range(len(rows))), {}
    while left:
        group, edge = set(), {min(left)}
        while edge:
            group |= edge
            edge = {
                other
                for other in left - group
                for one in edge
                if rows[one].Class == rows[other].Class
                and bits_apart(rows[one].DHash, rows[other].DHash) <= distance
            }
        left -= group
        expected |= {row: min(rows[member].Hash for member in group) for row in group}
    groups = near_groups(photos, distance)
    assert groups.tolist() == [expected[row] for row in range(len(rows))]
    copies = near_copies(photos, distance)
    for row in range(len(rows)):
        members = [
            other
            for other in rows
            if other.Class == rows[row].Class and groups[other.Index] == groups[row]
        ]
        assert copies[row] == (len({member.Hash for member in members}) > 1)


@given(tables(), tables(), st.integers(0, MOST_BITS))
def test_elsewhere_and_in_agree_with_a_naive_loop(photos, gallery, distance):
    def alike(one, other):
        return bits_apart(one.DHash, other.DHash) <= distance

    rows, others = list(photos.itertuples()), list(gallery.itertuples())
    classes = photos.groupby("Hash")["Class"].nunique()
    assert near_elsewhere(photos, distance).tolist() == [
        classes[one.Hash] == 1
        and any(alike(one, other) and one.Class != other.Class for other in rows)
        for one in rows
    ]
    assert near_in(photos, gallery, distance).tolist() == [
        one.Hash not in set(gallery["Hash"])
        and any(alike(one, other) and one.Class == other.Class for other in others)
        for one in rows
    ]


def test_without_a_distance_only_copies_count():
    photos = pd.DataFrame({"Class": [1, 1, 1], "Hash": ["a", "a", "b"], "Index": range(3)})
    assert near_groups(photos, None).tolist() == ["a", "a", "b"]
    assert not near_copies(photos, None).any()
    assert not near_elsewhere(photos, None).any()
    assert not near_in(photos, photos, None).any()
    with pytest.raises(ValueError, match=r"no column DHash: .* data_processing again"):
        near_groups(photos, 3)
    with pytest.raises(ValueError, match="at most 7 bits, not 8"):
        near_groups(photos.assign(DHash="0" * 16), 8)


def test_the_bits_are_those_of_the_definition():
    cells = np.array([[10 * (x + 1 if y % 2 else 9 - x) for x in range(9)] for y in range(8)])
    cells[3, 4] = 255  # rises to it, falls from it
    pixels = np.repeat(cells[:, :, None], 3, axis=2).astype(np.uint8)
    expected = "".join("1" if row[x + 1] > row[x] else "0" for row in cells for x in range(8))
    assert difference_hash(pixels) == f"{int(expected, 2):016x}"
    assert difference_hash(np.full((50, 70, 3), 9, np.uint8)) == "0" * 16


def test_other_files_of_one_picture_look_the_same():
    """Resized, recompressed, a border cut off, in grey; and mirrored, which is another look."""
    coarse = np.random.default_rng(3).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((800, 567), Image.Resampling.BICUBIC)

    def look(image, **options):
        file = io.BytesIO()
        image.save(file, **{"format": "JPEG", "quality": 90} | options)
        return inspect(file.getvalue()).dhash

    own = look(picture)
    assert bits_apart(own, look(picture, format="PNG")) <= 2
    assert bits_apart(own, look(picture, quality=15)) <= 2
    assert bits_apart(own, look(picture.resize((224, 159)))) <= 2
    assert bits_apart(own, look(picture.crop((8, 5, 795, 560)))) <= 5
    assert bits_apart(own, look(picture.convert("L"))) <= 2
    assert bits_apart(own, look(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT))) > 20
