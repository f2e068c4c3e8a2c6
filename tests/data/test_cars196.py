"""Cars196's layouts, as made-up trees."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError
from scipy.io import savemat

from car_retrieval.data.cars196 import list_cars, parse_classes, parse_name
from car_retrieval.datasets.cars196 import Cars196Dataset

NAMES = ["AM General Hummer SUV 2000", "Acura RL Sedan 2012", "smart fortwo Convertible 2012"]
EVERY = range(1, 197)
PHOTOS = [("a.jpg", 2, (1, 2, 30, 40)), ("b.jpg", 1, (5, 6, 70, 80)), ("c.jpg", 3, (9, 9, 50, 50))]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("AM General Hummer SUV 2000", ("AM General", "Hummer SUV", 2000)),
        ("Land Rover LR2 SUV 2012", ("Land Rover", "LR2 SUV", 2012)),
        ("Rolls-Royce Ghost Sedan 2012", ("Rolls-Royce", "Ghost Sedan", 2012)),
        ("Ram C/V Cargo Van Minivan 2012", ("Ram", "C/V Cargo Van Minivan", 2012)),
        ("Audi 100 Wagon 1994", ("Audi", "100 Wagon", 1994)),
        ("Chevrolet Silverado 1500", ("Chevrolet", "Silverado 1500", None)),
        ("Tesla", ("Tesla", "Tesla", None)),
    ],
)
def test_a_name_is_make_model_and_year(text: str, name: tuple) -> None:
    assert parse_name(text) == name


@pytest.mark.parametrize("text", ["", "98-1", "1-", "a-b", "1-2-3", "-5", "1.5"])
def test_what_is_no_range_of_classes_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' is not a range of classes"):
        parse_classes(text)


def test_ranges_hold_both_ends() -> None:
    assert list(parse_classes(" 3 - 5 ")) == [3, 4, 5]
    assert list(parse_classes("7")) == [7]


def annotations(photos: list, path: str, **left_out: object) -> np.ndarray:
    """A struct array as MATLAB writes it."""
    boxes = [f"bbox_{side}" for side in ("x1", "y1", "x2", "y2")]
    fields = [name for name in (*boxes, "class", path) if name not in left_out]
    rows = np.empty((1, len(photos)), [(name, object) for name in fields])
    for place, (name, class_, box) in enumerate(photos):
        values = dict(zip(boxes, box, strict=True)) | {"class": class_, path: name}
        rows[0, place] = tuple(values[field] for field in fields)
    return rows


def cell(names: list[str]) -> np.ndarray:
    names_ = np.empty((1, len(names)), object)
    names_[0] = names
    return names_


def car_ims(root: Path) -> None:
    photos = [(f"car_ims/{name}", *rest) for name, *rest in PHOTOS]
    content = {"annotations": annotations(photos, "relative_im_path"), "class_names": cell(NAMES)}
    savemat(root / "cars_annos.mat", content)


def official(root: Path, test: str = "devkit") -> None:
    devkit = root / "devkit"
    devkit.mkdir()
    train, rest = annotations(PHOTOS[:1], "fname"), annotations(PHOTOS[1:], "fname")
    savemat(devkit / "cars_train_annos.mat", {"annotations": train})
    savemat(root / test / "cars_test_annos_withlabels.mat", {"annotations": rest})
    savemat(devkit / "cars_meta.mat", {"class_names": cell(NAMES)})


def crops(root: Path) -> None:
    table = pd.DataFrame(PHOTOS, columns=["Path", "Class", "Box"]).drop(columns="Box")
    table.assign(Name=[NAMES[n - 1] for n in table["Class"]]).to_csv(root / "labels.csv")


@pytest.mark.parametrize(
    ("make", "paths"),
    [
        (car_ims, ["car_ims/a.jpg", "car_ims/b.jpg", "car_ims/c.jpg"]),
        (official, ["cars_test/b.jpg", "cars_test/c.jpg", "cars_train/a.jpg"]),
        (lambda root: official(root, "."), ["cars_test/b.jpg", "cars_test/c.jpg", None]),
        (crops, ["a.jpg", "b.jpg", "c.jpg"]),
    ],
)
def test_every_layout_is_one_list(tmp_path: Path, make, paths: list) -> None:
    make(tmp_path)
    table = list_cars(tmp_path, EVERY)
    assert table["Path"].tolist()[:2] == paths[:2]
    assert paths[2] in (table["Path"].tolist()[2], None)
    rows = table.set_index(table["Path"].str[-5:])
    for name, class_, box in PHOTOS:
        row = rows.loc[name]
        assert (row["Class"], *row[["MakeName", "ModelName", "Year"]]) == (
            class_,
            *parse_name(NAMES[class_ - 1]),
        )
        if make is crops:
            assert row[["x1", "y1", "x2", "y2"]].isna().all()
        else:
            assert tuple(row[["x1", "y1", "x2", "y2"]]) == box
    assert table["Year"].dtype == "Int64"
    chosen = list_cars(tmp_path, range(1, 3))
    assert sorted(chosen["Class"]) == [1, 2]


def test_the_dataset_lists_its_classes_and_is_read_only(tmp_path: Path) -> None:
    car_ims(tmp_path)
    dataset = Cars196Dataset(str(tmp_path), "2-3")
    assert sorted(dataset.load()["Class"]) == [2, 3]
    assert Cars196Dataset(str(tmp_path), 3).load()["Class"].tolist() == [3]
    with pytest.raises(DatasetError, match="read-only"):
        dataset.save("photos")
    with pytest.raises(DatasetError, match="no photos of the classes 4-9"):
        Cars196Dataset(str(tmp_path), "4-9").load()


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"neither labels\.csv .* CARS196_ROOT"):
        list_cars(tmp_path, EVERY)
    official(tmp_path)
    for name in ("cars_meta.mat", "cars_test_annos_withlabels.mat"):
        (tmp_path / "devkit" / name).unlink()
        with pytest.raises(FileNotFoundError, match=name.replace(".", r"\.")):
            list_cars(tmp_path, EVERY)


def test_malformed_annotations_are_named(tmp_path: Path) -> None:
    file = tmp_path / "cars_annos.mat"

    def refused(message: str, **content: object) -> None:
        savemat(file, content)
        with pytest.raises(ValueError, match=rf"cars_annos\.mat.*{message}"):
            list_cars(tmp_path, EVERY)

    names, path = cell(NAMES), "relative_im_path"
    refused("no variable annotations", class_names=names)
    refused(
        "no field class", class_names=names, annotations=annotations(PHOTOS, path, **{"class": 1})
    )
    refused("no field relative_im_path", class_names=names, annotations=np.arange(3))
    odd = [PHOTOS[0], ("b.jpg", "red", (1, 1, 2, 2))]
    refused("annotation 2 is malformed", class_names=names, annotations=annotations(odd, path))
    empty = [("a.jpg", np.zeros((0, 0)), (1, 1, 2, 2))]
    refused("annotation 1 is malformed", class_names=names, annotations=annotations(empty, path))
    twice = annotations([*PHOTOS, PHOTOS[0]], path)
    refused("duplicate path 'a.jpg'", class_names=names, annotations=twice)
    file.write_bytes(b"no matrix" * 50)
    with pytest.raises(ValueError, match=r"cars_annos\.mat cannot be read"):
        list_cars(tmp_path, EVERY)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Path,Class\na.jpg,1\n", "no column Name"),
        ("Path,Class,Name\na.jpg,1,x\nb.jpg,red,x\n", r"line 3, Class: 'red'"),
        ("Path,Class,Name\na\\b.jpg,1,x\n", r"line 2, Path: .* forward slashes"),
        ("Path,Class,Name\n,1,x\n", "line 2, Path"),
        ("Path,Class,Name\na.jpg,1,x\na.jpg,2,y\n", r"duplicate path 'a\.jpg'"),
        ("Path,Class,Name\na.jpg,1,x,y,z\n", "line 2|read as CSV"),
        ("", "cannot be read as CSV"),
    ],
)
def test_a_malformed_csv_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(ValueError, match=rf"labels\.csv.*({message})"):
        list_cars(tmp_path, EVERY)


def test_a_csv_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(b"Path,Class,Name\n\xff.jpg,1,x\n")
    with pytest.raises(ValueError, match=r"labels\.csv cannot be read as CSV"):
        list_cars(tmp_path, EVERY)
