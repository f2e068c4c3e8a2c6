"""From a folder of unlabelled photos to search, without training."""

import json
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from tests.conftest import command, make_project
from tests.folders import index, photo, put, refusal
from tests.parameters import data_params

from car_retrieval.datasets.photo_lists import read_index
from car_retrieval.gallery.store import GalleryStore
from car_retrieval.pipelines.data_processing.nodes import select_gallery

NOTE = "not trained on these photos"


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """A project whose gallery is a folder of photos without classes, the folder, the output."""
    project = make_project(tmp_path_factory.mktemp("unlabelled"))
    settings = project / "conf" / "independent" / "parameters.yml"
    text = settings.read_text().replace("image_size: 224", "image_size: 32")
    settings.write_text(text)
    photos = project / "photos"
    put(photos, "a.jpg", "b.jpg", "in/c.jpg", "in/deeper/d.jpg", "e.jpg", "f.jpg")
    small = Image.open(photos / "a.jpg").resize((60, 52))
    small.save(photos / "in" / "a_small.jpg")
    run = command(project, "index-folder", str(photos), "--unlabelled")
    assert run.exit_code == 0, run.output
    return project, photos, run.stdout


def test_one_command_leads_to_search(described) -> None:
    project, photos, said = described
    assert NOTE in said
    assert "7 photos without classes" in said
    assert "kedro search PHOTO --env=independent" in said
    asked = str(photos / "in" / "c.jpg")
    found = command(project, "search", asked, "--env=independent", "--k=2", "--json")
    answer = json.loads(found.stdout)
    best = answer["matches"][0]
    assert Path(best["path"]).name == "c.jpg"
    assert best["similarity"] == pytest.approx(1, abs=1e-3)
    assert [best[name] for name in ("class", "make", "model", "year")] == [None] * 4
    assert answer["threshold"] is None
    assert NOTE in found.stderr


def test_the_table_shows_similarity_and_path_only(described) -> None:
    project, photos, _ = described
    found = command(project, "search", str(photos / "e.jpg"), "--env=independent", "--k=1")
    header, row = found.stdout.splitlines()[1:3]
    assert header.split() == ["rank", "similarity", "path"]
    assert row.split()[-1].endswith("e.jpg")


def test_near_duplicates_are_listed(described) -> None:
    project, *_ = described
    (file,) = (project / "data" / "08_reporting" / "independent").glob("rejected*/*/*.csv")
    table = pd.read_csv(file)
    near = table[table["Problem"] == "near-duplicate"]
    assert sorted(near["Path"]) == ["a.jpg", "in/a_small.jpg"]
    assert set(table["Action"]) == {"kept"}


def test_the_job_with_training_is_refused_in_a_line(described) -> None:
    project, *_ = described
    run = command(project, "run", "--env=independent")
    assert run.exit_code == 1
    assert "--pipelines=zero_shot" in run.output.splitlines()[-1]


def test_a_report_shows_what_can_be_shown(described) -> None:
    project, *_ = described
    parts = "--pipelines=evaluation,searchers,diagnosis,reporting"
    run = command(project, "run", "--env=independent", parts)
    assert run.exit_code == 0, run.output
    assert "test is not scored: the photos have no classes" in run.output
    reports = project / "data" / "08_reporting" / "independent"
    (report,) = reports.glob("report.html/*/report.html")
    text = report.read_text()
    assert "Not scored: the photos have no classes" in text
    assert "near-duplicate" in text
    (file,) = reports.glob("searchers.csv/*/searchers.csv")
    table = pd.read_csv(file)
    assert (table["recall@20"] == 1).all()
    assert table["mAP@20"].isna().all()


def test_the_list_has_no_classes_and_replaces_that_of_an_earlier_call(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    put(photos, *(f"{name}/{number}.jpg" for name in "ab" for number in range(8)))
    index(photos, "--out", out)
    assert (out / "test.npy").exists()
    assert "--force" in refusal(photos, "--out", out, "--unlabelled")
    assert "--classes" in refusal(photos, "--out", out, "--unlabelled", "--classes=c.csv")


def gallery(tmp_path: Path, classes: str) -> pd.DataFrame:
    file = tmp_path / "indexinfo.csv"
    rows = zip("xyz", classes.split(","), strict=True)
    lines = [f"{name}.jpg,{place},{class_}" for place, (name, class_) in enumerate(rows)]
    file.write_text("Path,Index,Class\n" + "\n".join(lines) + "\n")
    return read_index(file)


def test_photos_without_classes_are_never_of_one(tmp_path: Path) -> None:
    listed = gallery(tmp_path, ",,")
    assert listed["Class"].isna().all()
    files = {f"{name}.jpg": photo(number) for number, name in enumerate("xyz")}
    photos, _, problems = select_gallery(listed, files, GalleryStore("unchanged"), data_params())
    assert photos["Class"].isna().all()
    assert problems.empty


def test_a_class_that_only_some_photos_lack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"line 3, Class: ''"):
        gallery(tmp_path, "1,,2")
