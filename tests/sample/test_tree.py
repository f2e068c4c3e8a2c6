from collections import Counter
from io import BytesIO
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.io import loadmat

from car_retrieval.sample.tree import class_sizes, compcars_tree


def photos(tree, root="data/image/"):
    return {
        path: content
        for path, content in tree.items()
        if path.startswith(root) and path.endswith(".jpg")
    }


def labels(tree):
    """Photo path below data/image/ -> (viewpoint, box)."""
    found = {}
    for path, content in tree.items():
        if path.startswith("data/label/") and path.endswith(".txt"):
            first, count, box = content.decode("ascii").splitlines()
            assert count == "1"
            photo = path.replace("data/label/", "data/image/").replace(".txt", ".jpg")
            found[photo] = (int(first), tuple(map(int, box.split())))
    return found


def size_of(content):
    return Image.open(BytesIO(content)).size


def class_of(path):
    return int(path.split("/")[3])


def sizes(tree):
    return [size_of(content) for content in photos(tree).values()]


def surveillance_table(tree):
    return loadmat(BytesIO(tree["sv_data/sv_make_model_name.mat"]))["sv_make_model_name"]


def test_counts_are_the_ones_asked_for(tree, small):
    assert len(photos(tree)) == small["web_photos"]
    assert len(photos(tree, "sv_data/image/")) == small["surveillance_photos"]
    assert len(surveillance_table(tree)) == small["surveillance_models"]


def test_every_photo_has_its_label_and_only_the_web_has_labels(tree):
    assert set(labels(tree)) == set(photos(tree))
    assert not any(path.startswith("sv_data/image/") and path.endswith(".txt") for path in tree)


def test_paths_have_the_form_of_the_release(tree):
    for path in photos(tree):
        make, model, year, name = path.removeprefix("data/image/").split("/")
        assert make.isdecimal()
        assert model.isdecimal()
        assert year in ("unknown", "5008") or 1926 <= int(year) <= 2016
        assert len(name) == 18
        assert set(name[:14]) <= set("0123456789abcdef")


def test_names_are_unique_but_for_the_twin(tree):
    names = Counter(path.rpartition("/")[2] for path in [*photos(tree), *photos(tree, "sv_data/")])
    assert sorted(names.values())[-2:] == [1, 2]


def test_same_seed_same_bytes(tree, small):
    assert dict(compcars_tree(**small)) == tree


def test_another_seed_draws_another_world(tree, small):
    other = dict(compcars_tree(**{**small, "seed": 4}))
    assert not set(photos(other).values()) & set(photos(tree).values())


def test_a_photo_does_not_depend_on_the_number_of_photos(tree, small):
    more = dict(compcars_tree(**{**small, "web_photos": 90, "surveillance_photos": 40}))
    assert photos(tree).items() <= photos(more).items()
    assert photos(tree, "sv_data/").items() <= photos(more, "sv_data/").items()


def test_files_come_one_at_a_time(small):
    many = compcars_tree(**{**small, "web_photos": 10**5})
    assert len(list(islice(many, 20))) == 20


class TestOddities:
    """All of those in the release that a reader has to survive."""

    @pytest.mark.parametrize("year", ["unknown", "5008"])
    def test_year(self, tree, year):
        assert any(path.split("/")[4] == year for path in photos(tree))

    def test_several_makes_models_and_years(self, tree):
        places = [path.split("/")[2:5] for path in photos(tree)]
        assert len({make for make, _, _ in places}) >= 3
        assert len({model for _, model, _ in places}) >= 4
        assert max(Counter(model for _, model, _ in {tuple(p) for p in places}).values()) >= 2

    def test_mixed_line_ends(self, tree):
        contents = [c for p, c in tree.items() if p.startswith("data/label/") and p.endswith("txt")]
        mixed = [c for c in contents if c.split(b"1\n")[0].endswith(b"\r\n")]
        assert 0 < len(mixed) < len(contents)
        assert all(c.count(b"\r") <= 1 for c in contents)

    def test_zero_area_box(self, tree):
        assert sum(box[0] == box[2] and box[1] == box[3] for _, box in labels(tree).values()) == 1

    @pytest.mark.parametrize("viewpoint", [-1, 1, 3, 4])
    def test_viewpoint(self, tree, viewpoint):
        assert viewpoint in [seen for seen, _ in labels(tree).values()]

    def test_class_with_one_image_is_a_front_view(self, tree):
        counts = Counter(map(class_of, photos(tree)))
        (viewpoint,) = [
            view for path, (view, _) in labels(tree).items() if counts[class_of(path)] == 1
        ]
        assert viewpoint == 1

    def test_one_picture_under_two_models(self, tree):
        by_content = {}
        for path, content in photos(tree).items():
            by_content.setdefault(content, []).append(path)
        (pair,) = [paths for paths in by_content.values() if len(paths) > 1]
        assert len(pair) == 2
        assert len(set(map(class_of, pair))) == 2

    @pytest.mark.parametrize(
        "odd",
        [
            lambda w, h: h > w and h < 3 * w,
            lambda w, h: w == h,
            lambda w, h: w == 4 * h,
            lambda w, h: h == 4 * w,
        ],
        ids=["portrait", "square", "4:1", "1:4"],
    )
    def test_shape(self, tree, odd):
        assert any(odd(*size) for size in sizes(tree))

    def test_scaled_heights_are_odd_and_even(self, tree):
        heights = [round(64 * h / w) for w, h in sizes(tree) if w > h]
        assert {height % 2 for height in heights} == {0, 1}

    def test_litter(self, tree):
        names = {path.rpartition("/")[2] for path in tree}
        assert {".DS_Store", "Thumbs.db"} <= names

    def test_truncated_jpeg(self, tree):
        broken = []
        for path, content in photos(tree).items():
            try:
                Image.open(BytesIO(content)).load()
            except OSError:
                broken.append(path)
        assert len(broken) == 1

    def test_surveillance_model_without_web_photos(self, tree):
        ids = {int(row[2].item()) for row in surveillance_table(tree)}
        assert len(ids - set(map(class_of, photos(tree)))) == 1


def test_surveillance_folders_are_rows_of_the_table(tree, small):
    folders = {int(path.split("/")[2]) for path in photos(tree, "sv_data/image/")}
    assert folders == set(range(1, small["surveillance_models"] + 1))


def test_lists_part_the_surveillance_photos(tree):
    train, test = (
        tree[f"sv_data/{part}_surveillance.txt"].decode().splitlines() for part in ("train", "test")
    )
    existing = {path.removeprefix("sv_data/image/") for path in photos(tree, "sv_data/image/")}
    assert set(train) | set(test) == existing
    assert len(train) + len(test) == len(existing)
    assert len(test) == round(0.3 * len(existing))
    folders = [{line.split("/")[0] for line in lines} for lines in (train, test)]
    assert folders[0] == folders[1]
    for lines in (train, test):
        order = [int(line.split("/")[0]) for line in lines]
        assert order == sorted(order)


def test_boxes_lie_inside_their_pictures(tree):
    for path, (_, (x1, y1, x2, y2)) in labels(tree).items():
        width, height = size_of(photos(tree)[path])
        assert 1 <= x1 <= x2 <= width
        assert 1 <= y1 <= y2 <= height


@given(st.integers(3, 300), st.integers(0, 5000))
def test_class_sizes_are_skewed_and_add_up(models, spare):
    total = models + spare
    shares = class_sizes(models, total)
    assert len(shares) == models
    assert sum(shares) == total
    assert shares[-2:] == [1, 0]
    assert min(shares[:-2]) >= 1
    assert abs(shares[0] - max(shares)) <= 1


def test_real_size_is_planned_without_drawing():
    files = compcars_tree(
        models=1716,
        web_photos=136_726,
        surveillance_photos=44_481,
        surveillance_models=281,
        workers=1,
    )
    head = dict(islice(files, 5))
    lines = [head[f"sv_data/{part}_surveillance.txt"].count(b"\n") for part in ("train", "test")]
    assert sum(lines) == 44_481
    assert lines[1] == pytest.approx(13_333, abs=20)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"models": 2}, "models: 2; a sample needs at least 3"),
        ({"surveillance_models": 6}, "surveillance_models: 6; 6 models allow 2 to 5"),
        ({"surveillance_models": 1}, "surveillance_models: 1; 6 models allow 2 to 5"),
        ({"surveillance_photos": 9}, "surveillance_photos: 9; 4 models need at least 16"),
        ({"web_photos": 10}, "web_photos: 10; too few for 6 models"),
        ({"web_photos": 0}, "web_photos: 0; too few for 6 models"),
    ],
)
def test_too_small_a_world_is_refused_at_once(small, wrong, message):
    with pytest.raises(ValueError, match=message):
        compcars_tree(**{**small, **wrong})


def test_smallest_world():
    tree = dict(
        compcars_tree(
            models=3,
            web_photos=40,
            surveillance_photos=8,
            surveillance_models=2,
            width=32,
            workers=1,
        )
    )
    assert len(photos(tree)) == 40
    assert sorted(Counter(map(class_of, photos(tree))).values()) == [1, 39]
