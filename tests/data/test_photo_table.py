import numpy as np
import pandas as pd
import pytest

from car_retrieval.data import photo_table
from car_retrieval.data.compcars import BOX


def table(*rows, columns):
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def photos():
    """Six photos 100 × 80 with boxes, whose third cannot be read."""
    boxes = [(1, 1, 100, 80), (5, 5, 20, 20), (5, 5, 19, 40), (0, 1, 50, 50), (1, 1, 100, 81),
             (None,) * 4]  # fmt: skip
    frame = pd.DataFrame(boxes, columns=BOX).astype("Int64")
    return frame.assign(Path=list("abcdef"), Class=[3, 3, -1, 4, 5, 6], Problem="")


@pytest.fixture
def inspection():
    frame = pd.DataFrame(
        {"Path": list("abcdef"), "Width": 100, "Height": 80, "Hash": list("uvwxyz")}
    )
    return frame.assign(Truncated=False, Problem="")


def with_broken(inspection, *rows):
    inspection.loc[list(rows), ["Width", "Height", "Hash", "Problem"]] = [0, 0, "", "cut off"]
    return inspection


class TestReadablePhotos:
    def test_the_index_is_the_row_also_after_rejects(self, photos, inspection):
        # A listing is a selection of a larger table, so that its own index has holes.
        photos.index = [7, 9, 10, 11, 40, 41]
        kept, problems = photo_table.readable_photos(photos, with_broken(inspection, 0, 3), 0.5)
        assert kept["Path"].tolist() == list("bcef")
        assert kept["Index"].tolist() == list(range(4)) == kept.index.tolist()
        assert kept["Hash"].tolist() == list("vwyz")
        assert kept["Class"].tolist() == [3, -1, 5, 6]
        assert (kept["Index"].dtype, kept["Class"].dtype) == (np.int64, np.int64)
        assert "Problem" not in kept
        assert "Truncated" not in kept
        broken = problems[problems["Action"] == "left out"]
        assert broken[["Path", "Problem"]].to_numpy().tolist() == [
            ["a", "cut off"],
            ["d", "cut off"],
        ]

    def test_too_many_rejects(self, photos, inspection):
        inspection = with_broken(inspection, 2, 4)
        photo_table.readable_photos(photos, inspection, 2 / 6)
        with pytest.raises(
            ValueError,
            match=r"2 of 6 .*max_rejected_fraction = 0.3 .*allows: c: cut off; e: cut off$",
        ):
            photo_table.readable_photos(photos, inspection, 0.3)

    def test_nothing_can_be_read(self, photos, inspection):
        with pytest.raises(ValueError, match="6 of 6"):
            photo_table.readable_photos(photos, with_broken(inspection, *range(6)), 1.0)

    @pytest.mark.parametrize(
        ("count", "photos", "fraction", "stops"),
        [(0, 0, 0, False), (0, 5, 0, False), (1, 100, 0.01, False), (2, 100, 0.01, True),
         (1, 5, 0, False), (2, 5, 0, True), (1, 1, 1, True), (5, 5, 1, True), (4, 5, 1, False)],
    )  # fmt: skip
    def test_the_share_of_rejects(self, count, photos, fraction, stops):
        rejected = pd.DataFrame({"Path": list("abcde")[:count], "Problem": "gone"})
        if not stops:
            return photo_table.refuse_too_many(rejected, photos, fraction)
        with pytest.raises(
            ValueError, match=f"^{count} of {photos} photos .*: a: gone(; [b-e]: gone)*$"
        ):
            photo_table.refuse_too_many(rejected, photos, fraction)

    def test_the_first_five_are_named_and_where_files_were_looked_for(self):
        rejected = pd.DataFrame({"Path": list("abcdef"), "Problem": "file not found"})
        message = "the first 5: " + "; ".join(f"{path}: file not found" for path in "abcde")
        with pytest.raises(ValueError, match=f"allows; {message}$"):
            photo_table.refuse_too_many(rejected, 9, 0)
        hint = r"\. Path is relative to the folder my/traini, with forward slashes; kedro gallery"
        with pytest.raises(ValueError, match=message + hint):
            photo_table.refuse_too_many(rejected, 9, 0, "my/traini")
        rejected.loc[5, "Problem"] = "cut off"
        with pytest.raises(ValueError, match=f"{message}$"):
            photo_table.refuse_too_many(rejected, 9, 0, "my/traini")

    def test_an_empty_list(self, photos, inspection):
        some, _ = photo_table.readable_photos(photos, inspection, 1.0)
        none, problems = photo_table.readable_photos(photos[:0], inspection[:0], 1.0)
        assert none.empty
        assert problems.empty
        assert list(none) == list(some)

    def test_boxes_that_cannot_be_right_are_emptied_and_reported(self, photos, inspection):
        kept, problems = photo_table.readable_photos(photos, inspection, 0)
        emptied = kept["x1"].isna()
        assert kept["Path"][emptied].tolist() == list("cdef")
        assert kept[BOX].isna().all(axis=1).equals(emptied)
        assert problems.set_index("Path")["Problem"].to_dict() == {
            "c": "box under 16 px on a side",
            "d": "box is not inside the photo",
            "e": "box is not inside the photo",
        }
        assert set(problems["Action"]) == {"full frame used"}
        np.testing.assert_array_equal(
            photo_table.boxes_of(kept), [[1, 1, 100, 80], [5, 5, 20, 20], *[[np.nan] * 4] * 4]
        )

    def test_a_list_without_boxes(self, photos, inspection):
        kept, problems = photo_table.readable_photos(photos[["Path", "Class"]], inspection, 0)
        assert photo_table.boxes_of(kept) is None
        assert len(kept) == 6
        assert list(problems.columns) == photo_table.PROBLEM_COLUMNS
        assert problems.empty


def test_select_views():
    views = pd.Series([1, None, 2, 4, -1], dtype="Int64")
    photos = pd.DataFrame({"View Point": views, "Path": list("abcde")})
    assert photo_table.select_views(photos, [1, 4])["Path"].tolist() == ["a", "d"]
    assert photo_table.select_views(photos, []).empty


def test_a_list_without_viewpoints_is_taken_whole():
    photos = pd.DataFrame({"Path": list("ab")})
    assert photo_table.select_views(photos, [1]) is photos


def test_numbered():
    photos = pd.DataFrame({"Path": list("ab")}, index=[5, 3])
    assert photo_table.numbered(photos).to_dict("list") == {"Path": ["a", "b"], "Index": [0, 1]}


def test_unusable():
    photos = table(("a", ""), ("b", "no label"), columns=["Path", "Problem"])
    found = photo_table.unusable(photos)
    assert found.to_dict("records") == [{"Path": "b", "Problem": "no label", "Action": "left out"}]
    assert photo_table.unusable(photos[["Path"]]).empty


def test_duplicates():
    photos = table(
        *[("a", "x", 1), ("b", "y", 1), ("c", "x", 1), ("d", "y", 2), ("e", "z", 2)],
        columns=["Path", "Hash", "Class"],
    )
    found = photo_table.duplicates(photos)
    assert found.set_index("Path")["Conflict"].to_dict() == {
        "a": False,
        "b": True,
        "c": False,
        "d": True,
    }
    assert photo_table.duplicates(photos[:2]).empty


def test_problems_by_kind() -> None:
    heic = [(f"a/{number}.HEIC", "needs the extra") for number in range(12)]
    found = table(
        ("b.jpg", "broken: 9"),
        *heic,
        ("c", "broken: 8"),
        ("d.jpg", "broken: 7"),
        columns=["Path", "Problem"],
    )
    lines = photo_table.by_kind(found)
    assert lines == [
        "12 .heic, for example a/0.HEIC: needs the extra",
        "2 .jpg, for example b.jpg: broken: 9",
        "1 without suffix, for example c: broken: 8",
    ]
    assert photo_table.by_kind(found, shown=1)[1:] == ["3 with other problems"]
    assert photo_table.by_kind(found[:0]) == []
