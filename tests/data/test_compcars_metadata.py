"""CompCars' real metadata: the parsers, and what they imply for the size of the task."""

import os
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from car_retrieval.data import compcars, photo_table
from car_retrieval.data.protocols import filtered_protocol, labels_of
from car_retrieval.data.splits import VALID, split_gallery

FOLDER = Path(os.environ.get("CAR_RETRIEVAL_REAL_DATA", "")) / "compcars_metadata"

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(
        not FOLDER.is_dir(),
        reason="CAR_RETRIEVAL_REAL_DATA names no folder with compcars_metadata/",
    ),
]


@pytest.fixture(scope="module")
def web():
    """The table that `list_web` would return, from the labels alone."""
    table = pd.read_csv(FOLDER / "web_labels.csv.gz").astype({"View Point": "Int64"})
    parts = table["Path"].str.split("/", expand=True)
    table["Year"] = parts[2].map(compcars.parse_year).astype("Int64")
    table["CarMake"], table["Class"] = parts[0].astype("Int64"), parts[1].astype("Int64")
    return table.assign(Problem="")


@pytest.fixture(scope="module")
def front(web):
    photos = photo_table.numbered(photo_table.select_views(web, [1, 4]))
    return photos.assign(Hash=photos["Path"], Group=photos["Path"])


@pytest.fixture(scope="module")
def query_classes():
    names = compcars.read_surveillance_names(FOLDER / "sv_make_model_name.mat")
    lists = [(FOLDER / f"{part}_surveillance.txt").read_text() for part in ("train", "test")]
    folders = [int(line.split("/")[0]) for text in lists for line in text.splitlines()]
    return names.loc[folders, "Class"].reset_index(drop=True)


def test_every_real_label_file_parses():
    mixed, viewpoints = 0, set()
    with zipfile.ZipFile(FOLDER / "real_labels_1637.zip") as archive:
        files = [
            name
            for name in archive.namelist()
            if name.endswith(".txt") and not name.startswith("__MACOSX")
        ]
        for name in files:
            content = archive.read(name)
            label = compcars.parse_label(content.decode("ascii"))
            viewpoints.add(label.viewpoint)
            first, _, rest = content.partition(b"\n")
            mixed += first.endswith(b"\r") and b"\r" not in rest
            assert list(label.box) == [int(x) for x in content.split()[2:]]
    assert len(files) == 1637
    assert mixed == 1075
    assert viewpoints <= set(compcars.VIEWPOINTS)


@pytest.mark.parametrize(
    ("photo", "view", "box"),
    [
        ("106/1313/2012/0ce0e13164259e", 1, [231, 139, 231, 139]),
        ("106/1313/2012/e8ad5ffd99e572", 2, [188, 90, 188, 90]),
        ("39/1325/2012/726ae2a0b0ed06", None, [3, 3, 5, 10]),
    ],
)
def test_degenerate_boxes_are_emptied(web, photo, view, box):
    row = web[web["Path"] == f"{photo}.jpg"]
    assert row[compcars.BOX].to_numpy().tolist() == [box]
    assert view is None or row["View Point"].item() == view
    fixed, found = photo_table.without_bad_boxes(row.assign(Width=800, Height=567))
    assert fixed[compcars.BOX].isna().all(axis=None)
    assert found["Problem"].tolist() == ["box under 16 px on a side"]


def test_web_names():
    makes, models = compcars.read_names(FOLDER / "make_model_name.mat")
    assert (len(makes), len(models)) == (163, 2004)
    assert sum(name is not None for name in models) == 1716
    assert [number for number, name in enumerate(models, start=1) if name is None][:4] == [
        *(6, 7, 8, 10)
    ]
    assert (makes[50], makes[117], models[1369]) == ("Lamorghini", "Hyundai", "丰田Avalon")


def test_surveillance_names():
    names = compcars.read_surveillance_names(FOLDER / "sv_make_model_name.mat")
    assert (len(names), names["Class"].nunique()) == (281, 281)
    assert (names["Class"].min(), names["Class"].max()) == (4, 1954)
    assert names["MakeName"].nunique() == 68
    for folder, row in {
        1: ("Besturn", "Besturn X80", 366),
        3: ("Audi", "Audi Q5", 5),
        101: ("Suzuki", "Alto", 1790),
        281: ("Venucia", "Venucia R50", 1859),
    }.items():
        assert tuple(names.loc[folder]) == row


def test_the_gallery(web, front):
    assert len(web) == 136_726
    assert (len(front), front["Class"].nunique()) == (67_732, 1_714)
    assert len(photo_table.select_views(web, [2, 5])) == 44_663
    assert front["Index"].tolist() == list(range(67_732))


def test_undated_photos(web):
    views = photo_table.select_views(web, [1, 2])
    folders = views[views["Year"].isna()]["Path"].str.split("/").str[2]
    assert folders.value_counts().to_dict() == {"unknown": 59, "5008": 2}


def test_the_queries(query_classes, front):
    queries, gallery = query_classes, labels_of(front)
    assert (len(queries), queries.nunique()) == (44_481, 281)
    assert queries.isin(gallery).all()


@pytest.mark.parametrize(
    ("size", "classes", "images", "models", "searched"),
    [
        (1, 1_714, 67_732, 281, 44_481),
        (14, 1_338, 65_088, 279, 44_394),
        (50, 809, 49_815, 252, 41_409),
        (58, 508, 33_593, 149, 25_905),
        (60, 404, 27_517, 118, 19_852),
    ],
)
def test_filtered_protocol(query_classes, front, size, classes, images, models, searched):
    queries, gallery = filtered_protocol(query_classes, labels_of(front), front, size)
    assert (gallery.nunique(), len(gallery)) == (classes, images)
    assert (queries.nunique(), len(queries)) == (models, searched)


def test_split(front):
    split = split_gallery(front, 7, keep_twins=False, seed=7)
    valid = split[split["split"] == VALID]
    sizes = front["Class"].value_counts()
    counts = valid["Class"].value_counts().reindex(sizes.index, fill_value=0)
    assert (counts == sizes // 7).all()
    queries, _ = filtered_protocol(labels_of(valid), labels_of(front), front, 58)
    assert len(queries) == 4_577
