import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_retrieval.data.splits import EXCLUDED, TRAIN, VALID, split_classes, split_gallery


def gallery(classes, hashes=None, groups=None, views=None):
    count = len(classes)
    photos = pd.DataFrame({"Index": np.arange(count), "Class": np.array(classes, dtype=np.int64)})
    photos["Hash"] = [f"h{i}" for i in range(count)] if hashes is None else list(map(str, hashes))
    photos["Group"] = photos["Hash"] if groups is None else list(map(str, groups))
    return photos if views is None else photos.assign(**{"View Point": views})


def split(photos, ratio=7, keep_twins=False, seed=0):
    return split_gallery(photos, ratio, keep_twins, seed)


CLASSES = st.lists(st.sampled_from([-1, 0, 3, 2**62]), max_size=60)
RATIOS = st.integers(2, 9)
ALIKE = st.integers(1, 3)  # so many hashes in a row look alike


@given(classes=CLASSES, ratio=RATIOS, seed=st.integers(0, 3))
def test_one_photo_in_so_many_of_each_class(classes, ratio, seed):
    result = split(gallery(classes), ratio, seed=seed)
    assert result["Index"].tolist() == list(range(len(classes)))
    assert result["Class"].tolist() == classes
    for class_ in set(classes):
        sides = result[result["Class"] == class_]["split"].value_counts()
        assert sides.get(VALID, 0) == classes.count(class_) // ratio
        assert sides.sum() == sides.get(VALID, 0) + sides.get(TRAIN, 0)


@given(classes=CLASSES, ratio=RATIOS)
def test_deterministic_and_independent_of_other_classes(classes, ratio):
    photos = gallery(classes)
    result = split(photos, ratio)
    pd.testing.assert_frame_equal(split(photos, ratio), result)
    for class_ in set(classes):
        alone = photos["Class"] == class_
        pd.testing.assert_frame_equal(split(photos[alone], ratio), result[alone])


def test_seed_and_class_change_the_choice():
    photos = gallery([1] * 70)
    chosen = {tuple(split(photos, seed=seed)["split"]) for seed in range(5)}
    assert len(chosen) == 5
    other = gallery([2] * 70)
    assert split(other)["split"].tolist() != split(photos)["split"].tolist()


@given(
    counts=st.tuples(st.integers(0, 50), st.integers(0, 50)), ratio=RATIOS, seed=st.integers(0, 9)
)
def test_viewpoints_in_their_proportion(counts, ratio, seed):
    views = np.random.default_rng(seed).permutation(np.repeat([1, 4], counts))
    photos = gallery([5] * len(views), views=views)
    valid = photos[split(photos, ratio, seed=seed)["split"] == VALID]
    for view, count in zip([1, 4], counts, strict=True):
        due = len(views) // ratio * count / max(1, len(views))
        assert abs((valid["View Point"] == view).sum() - due) <= 1


def test_every_photo_can_validate():
    photos = gallery([1] * 14, views=[1] * 10 + [4] * 4)
    seen = set()
    for seed in range(200):
        seen |= set(np.flatnonzero(split(photos, seed=seed)["split"] == VALID))
    assert seen == set(range(14))


@given(
    photos=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 12)), min_size=12, max_size=40),
    ratio=st.integers(2, 4),
    keep=st.booleans(),
    alike=ALIKE,
)
def test_equal_and_near_equal_files_stay_on_one_side(photos, ratio, keep, alike):
    hashes = [h for _, h in photos]
    table = gallery([c for c, _ in photos], hashes, [h // alike for h in hashes])
    result = split(table, ratio, keep)
    classes = table.groupby("Hash")["Class"].nunique()
    conflicting = table["Hash"].map(classes) > 1 if len(table) else np.zeros(0, bool)
    assert (result["split"][conflicting] == (TRAIN if keep else EXCLUDED)).all()
    assert (result["split"][~conflicting] != EXCLUDED).all()
    sides = result.groupby(table["Hash"])["split"].nunique()
    assert (sides <= 1).all()
    used = result[result["split"] != EXCLUDED]
    assert (used.groupby([table["Class"], table["Group"]])["split"].nunique() <= 1).all()
    for _, members in used.groupby("Class"):
        assert (members["split"] == VALID).sum() <= len(members) // ratio


def test_duplicates_count_as_photos():
    # Two pairs and ten single photos: 14 // 7 = 2 validate, a pair or two single photos.
    photos = gallery([1] * 14, [0, 0, 1, 1, *range(2, 12)])
    for seed in range(20):
        assert (split(photos, seed=seed)["split"] == VALID).sum() == 2


def test_a_twin_filed_under_two_classes():
    photos = gallery([1] * 8 + [2] * 8, [*range(8), 0, *range(9, 16)])
    dropped = split(photos)
    assert np.flatnonzero(dropped["split"] == EXCLUDED).tolist() == [0, 8]
    assert (dropped["split"] == VALID).sum() == 2
    kept = split(photos, keep_twins=True)
    assert kept["split"].loc[[0, 8]].tolist() == [TRAIN, TRAIN]
    assert (kept["split"] == EXCLUDED).sum() == 0


@pytest.mark.parametrize("count", [0, 6])
def test_small_classes_only_train(count):
    assert (split(gallery([1] * count))["split"] == TRAIN).all()


class TestClasses:
    @given(
        photos=st.lists(st.tuples(st.sampled_from([-1, 0, 3, 9, 2**62]), st.integers(0, 30))),
        ratio=st.integers(2, 4),
        keep=st.booleans(),
        seed=st.integers(0, 3),
        alike=ALIKE,
    )
    def test_classes_stay_whole_and_nothing_is_on_both_sides(
        self, photos, ratio, keep, seed, alike
    ):
        hashes = [h for _, h in photos]
        table = gallery([c for c, _ in photos], hashes, [h // alike for h in hashes])
        result = split_classes(table, ratio, keep, seed)
        assert result["Index"].tolist() == list(range(len(photos)))
        assert result["Class"].tolist() == table["Class"].tolist()
        side = dict(zip(result["Index"], result["split"], strict=True))
        train, valid = ([i for i in side if side[i] == name] for name in (TRAIN, VALID))
        classes = [{photos[i][0] for i in part} for part in (train, valid)]
        hashes = [{photos[i][1] for i in part} for part in (train, valid)]
        assert not classes[0] & classes[1]
        assert not hashes[0] & hashes[1]
        looks = {(photos[i][0], photos[i][1] // alike) for i in valid}
        assert len(looks) == len(valid)  # no validation photo has a copy to find
        single = [h for h in {h for _, h in photos} if len({c for c, o in photos if o == h}) == 1]
        able = [
            class_
            for class_ in {c for c, _ in photos}
            if len({h // alike for c, h in photos if c == class_ and h in single}) > 1
        ]
        assert len(classes[1]) == len(able) // ratio
        assert classes[1] <= set(able)
        for i, (class_, hash_) in enumerate(photos):
            if class_ not in classes[1]:
                assert side[i] == (TRAIN if hash_ in single or keep else EXCLUDED)
        for class_ in classes[1]:
            assert {photos[i][1] // alike for i in valid if photos[i][0] == class_} == {
                h // alike for c, h in photos if c == class_ and h in single
            }

    def test_the_seed_chooses(self):
        photos = gallery(np.repeat(range(20), 3))
        chosen = {tuple(split_classes(photos, 4, False, seed)["split"]) for seed in range(5)}
        assert len(chosen) == 5
        again = split_classes(photos, 4, False, 3)
        pd.testing.assert_frame_equal(again, split_classes(photos, 4, False, 3))
        assert (again["split"] == VALID).sum() == 15


@pytest.mark.parametrize("seed", range(20))
def test_what_looks_like_a_kept_twin_trains_beside_it(seed):
    """Photos 0 and 9 are one file under two classes; photos 1 and 2 look like it."""
    table = gallery([0] * 9 + [1] * 9, ["twin", *range(8), "twin", *range(8, 16)])
    table.loc[[0, 1, 2], "Group"] = "look"
    table.loc[9, "Group"] = "other"
    assert (split(table, 2, True, seed)["split"][[0, 1, 2, 9]] == TRAIN).all()


@given(
    photos=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), min_size=4, max_size=60),
    ratio=st.integers(2, 5),
    alike=ALIKE,
    first=st.integers(2, 60),
    divide=st.sampled_from([split_gallery, split_classes]),
)
def test_what_trained_never_validates_in_a_larger_gallery(photos, ratio, alike, first, divide):
    hashes = [class_ + 3 * h for class_, h in photos]  # a photo has one class
    table = gallery([c for c, _ in photos], hashes, [(c, h // alike) for c, h in photos])
    before = divide(table[:first], ratio, False, 0)["split"]
    earlier = before.where(before != EXCLUDED).reindex(table.index)
    after = divide(table, ratio, False, 0, earlier)["split"]
    kept = before[before == TRAIN].index
    assert (after[kept] == TRAIN).all()
    held = before[before == VALID].index
    assert (after[held] != TRAIN).all()
    used = after != EXCLUDED
    sides = after[used].groupby([table["Class"][used], table["Group"][used]]).nunique()
    assert (sides <= 1).all()


def test_a_new_photo_between_both_sides_is_on_neither():
    photos = gallery([1] * 5, groups="aabbb")
    earlier = pd.Series(["train", None, "train", "valid", None])
    sides = split_gallery(photos, 2, False, 0, earlier)["split"]
    assert sides.tolist() == ["train", "train", "train", "valid", "excluded"]
