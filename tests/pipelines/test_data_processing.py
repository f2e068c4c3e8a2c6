"""Listing and packing as nodes: choices, refusals, counts."""

import io

import pandas as pd
import pytest
from PIL import Image
from tests.parameters import data_params, evaluation_params, training_params
from tests.pipelines.made_up import photos

from car_retrieval.data.fingerprint import digest
from car_retrieval.data.splits import check_trainable
from car_retrieval.gallery.store import GalleryStore
from car_retrieval.pipelines.data_processing import nodes as data

NO_QUERIES, NONE = photos(0), pd.DataFrame()
UNCHANGED = GalleryStore("unchanged")


@pytest.fixture
def surveillance() -> tuple[pd.DataFrame, dict[str, bytes]]:
    files = {}
    for number in range(4):
        buffer = io.BytesIO()
        Image.new("RGB", (20, 10), (number, 0, 0)).save(buffer, "PNG")
        files[f"{number}.png"] = buffer.getvalue()
    table = pd.DataFrame({"Path": list(files), "Class": 3, "List": ["train", "test"] * 2})
    return table.assign(Problem=""), files


def test_queries_of_the_test_list(surveillance: tuple[pd.DataFrame, dict[str, bytes]]) -> None:
    table, files = surveillance
    photos, problems = data.select_queries(table, files, data_params(queries="test"))
    assert photos["Path"].tolist() == ["1.png", "3.png"]
    assert photos["Index"].tolist() == [0, 1]
    assert problems.empty
    with pytest.raises(ValueError, match="surveillance lists"):
        data.select_queries(table.drop(columns="List"), files, data_params(queries="test"))


def test_a_missing_file_is_left_out_and_too_many_stop_the_run(
    surveillance: tuple[pd.DataFrame, dict[str, bytes]],
) -> None:
    table, files = surveillance
    del files["2.png"]
    photos, problems = data.select_queries(table, files, data_params(max_rejected_fraction=0.5))
    assert photos["Index"].tolist() == [0, 1, 2]
    assert problems["Path"].tolist() == ["2.png"]
    del files["3.png"]
    with pytest.raises(ValueError, match=r"max_rejected_fraction.*2\.png: file not found; 3\.png"):
        data.select_queries(table, files, data_params(max_rejected_fraction=0.1))


def test_a_jpeg_without_its_end_marker_is_kept_and_told_or_refused(
    surveillance: tuple[pd.DataFrame, dict[str, bytes]], caplog: pytest.LogCaptureFixture
) -> None:
    table, files = surveillance
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10)).save(buffer, "JPEG")
    files["1.png"] = buffer.getvalue()[:-2]
    photos, problems = data.select_queries(table, files, data_params())
    assert len(photos) == 4
    assert problems[["Path", "Action"]].to_numpy().tolist() == [["1.png", "kept"]]
    assert "1.png" in caplog.text
    packed = data.pack_images(photos, files, data_params(image_size=16), training_params())
    assert sum(len(block) for block in packed.blocks) == 4
    photos, problems = data.select_queries(table, files, data_params(truncated="refuse"))
    assert len(photos) == 3
    assert problems["Action"].tolist() == ["left out"]


def test_photos_that_the_list_rejects_count_as_well(
    surveillance: tuple[pd.DataFrame, dict[str, bytes]],
) -> None:
    table, files = surveillance
    table.loc[1, "Problem"] = "gone"
    allowed = data_params(max_rejected_fraction=0.25)
    photos, problems = data.select_queries(table, files, allowed)
    assert photos["Path"].tolist() == ["0.png", "2.png", "3.png"]
    assert problems.to_dict("records") == [
        {"Path": "1.png", "Problem": "gone", "Action": "left out"}
    ]
    message = r"^2 of 4 photos .*max_rejected_fraction = 0\.2 .*: 1\.png: gone; 3\.png: gone$"
    gone = table.assign(Problem=["", "gone"] * 2)
    with pytest.raises(ValueError, match=message):
        data.select_queries(gone, {}, data_params(max_rejected_fraction=0.2))

    # 1 of 4 is gone and 1 of the other 3 cannot be read: neither alone exceeds 0.4, both do.
    files["2.png"] = b"no picture"
    with pytest.raises(ValueError, match=r"^2 of 4 photos .*: 1\.png: gone; 2\.png: .+$"):
        data.select_queries(table, files, data_params(max_rejected_fraction=0.4))


def test_web_photos_without_labels_are_a_share_of_all_listed(
    surveillance: tuple[pd.DataFrame, dict[str, bytes]],
) -> None:
    table, files = surveillance
    views = pd.Series([1, None, 2, 2], dtype="Int64")
    web = table.assign(**{"View Point": views, "Problem": ["", "label file not found", "", ""]})
    photos, rear, problems = data.select_gallery(
        web, files, UNCHANGED, data_params(max_rejected_fraction=0.25)
    )
    assert (photos["Path"].tolist(), rear["Path"].tolist()) == (["0.png"], ["2.png", "3.png"])
    assert problems["Path"].tolist()[0] == "1.png"
    lost = web.assign(Problem=["", "label file not found"] * 2)
    with pytest.raises(ValueError, match=r"^2 of 4 .*: 1\.png: label file not found; 3\.png"):
        data.select_gallery(lost, {}, UNCHANGED, data_params(max_rejected_fraction=0.2))
    # Rear photos, which are not read, do not dilute the share of those that cannot be.
    web = web.assign(**{"View Point": pd.Series([1, 1, 1, 2], dtype="Int64"), "Problem": ""})
    files |= {"1.png": b"no picture", "2.png": b"no picture"}
    with pytest.raises(ValueError, match=r"^2 of 3 .*: 1\.png"):
        data.select_gallery(web, files, UNCHANGED, data_params(max_rejected_fraction=0.4))


def test_all_labels_missing_is_said_before_that_no_view_fits(
    surveillance: tuple[pd.DataFrame, dict[str, bytes]],
) -> None:
    table, files = surveillance
    views = pd.Series([None] * 4, dtype="Int64")
    web = table.assign(**{"View Point": views, "Problem": "label file not found"})
    with pytest.raises(ValueError, match=r"^4 of 4 .*: 0\.png: label file not found; 1"):
        data.select_gallery(web, files, UNCHANGED, data_params(max_rejected_fraction=1))


def test_empty_lists_say_which(surveillance: tuple[pd.DataFrame, dict[str, bytes]]) -> None:
    table, files = surveillance
    with pytest.raises(ValueError, match="no gallery photo: the list is empty"):
        data.select_gallery(table[:0], files, UNCHANGED, data_params())


def test_an_empty_list_of_queries_is_one_of_none(
    surveillance: tuple[pd.DataFrame, dict[str, bytes]],
) -> None:
    table, files = surveillance
    some, _ = data.select_queries(table, files, data_params())
    none, problems = data.select_queries(table[:0], files, data_params())
    assert none.empty
    assert problems.empty
    assert set(none) == set(some)
    packed = data.pack_images(none, files, data_params(image_size=16), training_params())
    assert next(iter(packed.blocks)).shape == (0, 3, 16, 16)


def test_the_test_list_is_missing(surveillance: tuple[pd.DataFrame, dict[str, bytes]]) -> None:
    table, files = surveillance
    with pytest.raises(ValueError, match=r"queries: test needs .* test_surveillance\.txt .* all$"):
        data.select_queries(table.assign(List=""), files, data_params(queries="test"))


def test_twins_across_classes_are_reported_and_stay_in_the_gallery(
    caplog: pytest.LogCaptureFixture,
) -> None:
    photos = pd.DataFrame(
        {"Path": ["a", "b"], "Class": [1, 2], "Hash": ["x", "x"], "Index": [0, 1]}
    ).assign(DHash="f" * 16)
    queries = pd.DataFrame({"Path": ["q"], "Class": [9], "Hash": ["x"], "Index": [0]})
    queries["DHash"] = "f" * 16
    found = pd.DataFrame({"Path": ["a", "b"], "Problem": "same photo", "Action": "gallery only"})
    table, report = data.report_problems(
        photos, queries, found, found.iloc[:0], data_params(), evaluation_params()
    )
    assert table["Path"].tolist() == ["a", "b", "q"]
    assert table.iloc[2].tolist() == ["queries", "q", "also in the gallery", "kept"]
    assert report["gallery"]["problems"] == {"same photo": 2}
    assert report["queries"]["photos without a class in the gallery"] == 1
    key = "photos that are also in the gallery"
    assert report["queries"][key] == 1
    warning, unmatched = caplog.messages
    assert unmatched.startswith("no query photo is of a class in the gallery")
    assert warning.startswith("1 of 1 query photos")
    assert f"'{key}' in data_report" in warning

    caplog.clear()
    other = queries.assign(Hash="y", DHash="0" * 16, Class=2)
    table, report = data.report_problems(
        photos, other, found.iloc[:0], found.iloc[:0], data_params(), evaluation_params()
    )
    assert table.empty
    assert report["queries"][key] == 0
    assert not caplog.messages


def test_near_duplicates_are_listed_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    gallery = photos(10).assign(DHash=[f"{row:x}" * 16 for row in range(10)])
    queries = photos(3).assign(Path=["q0", "q1", "q2"], Hash=["0.jpg", "new", "other"])
    queries["DHash"] = ["0" * 16, "1" * 15 + "3", "3" * 16]  # a copy, one bit off, another class
    none = pd.DataFrame(columns=["Path", "Problem", "Action"])
    table, report = data.report_problems(
        gallery, queries, none, none, data_params(), evaluation_params()
    )
    assert table["Path"].tolist() == ["q0", "q1"]
    assert table["Problem"].tolist() == ["also in the gallery", "in the gallery as another file"]
    assert report["queries"]["photos that are in the gallery as another file"] == 1
    assert len(caplog.messages) == 2


def test_packed_images_and_split_know_their_list(
    surveillance: tuple[pd.DataFrame, dict[str, bytes]],
) -> None:
    table, files = surveillance
    listed, _ = data.select_queries(table, files, data_params())
    stream = data.pack_images(
        listed, files, data_params(image_size=16, fill="mean"), training_params(arch="resnet18")
    )
    split = data.split_photos(
        listed.assign(Class=[3, 3, 4, 4]),
        *(NO_QUERIES, NONE, data_params(valid_ratio=2, near_duplicates=None)),
    )
    one = data.split_photos(listed, NO_QUERIES, NONE, data_params(valid_ratio=2))
    assert len(data.make_valid_pairs(one, data_params())) == 0
    with pytest.raises(ValueError, match="one class only, and training needs two"):
        check_trainable(one)
    packing = {"size": 16, "fill": "mean", "crop": "none"}
    packing |= {"interpolation": "bilinear", "centre": None}
    assert stream.attributes == {"photos": digest(listed), "packing": packing}
    assert digest(listed) == digest(split)
    assert digest(listed) != digest(listed[::-1])


@pytest.mark.parametrize(
    ("arch", "changes", "expected"),
    [
        ("resnet18", {}, (224, "bilinear", None)),
        ("resnet18", {"fit": "centre"}, (224, "bilinear", 224 / 256)),
        ("resnet18", {"image_size": 64, "interpolation": "bicubic"}, (64, "bicubic", None)),
        ("timm/tf_efficientnet_lite2", {"fit": "centre"}, (260, "bicubic", 0.89)),
    ],
)
def test_photos_are_packed_as_the_weights_expect_them(
    surveillance: tuple[pd.DataFrame, dict[str, bytes]],
    arch: str,
    changes: dict[str, object],
    expected: tuple[int, str, float | None],
) -> None:
    table, files = surveillance
    listed, _ = data.select_queries(table, files, data_params())
    stream = data.pack_images(listed, files, data_params(**changes), training_params(arch=arch))
    packing = stream.attributes["packing"]
    assert (packing["size"], packing["interpolation"], packing["centre"]) == expected
    assert next(iter(stream.blocks)).shape[2:] == (expected[0], expected[0])


def test_index_sizes_are_said_before_training(caplog: pytest.LogCaptureFixture) -> None:
    searchers = {"ivf": {"kind": "faiss", "factory": "IVF32,PQ8x4fs"}, "lopq": {"kind": "lopq"}}
    none = pd.DataFrame(columns=["Path", "Problem", "Action"])
    given = none, none, data_params(), evaluation_params(searchers=searchers)
    with caplog.at_level("INFO"):
        data.report_problems(photos(24), photos(0), *given)
    said = caplog.text
    assert "24 gallery photos: ivf factory IVF32,PQ8x4fs → IVF3,PQ8x4fs, lopq coarse 8 → 3" in said
