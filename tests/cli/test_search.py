"""The command `kedro search`."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.conftest import ROOT, kedro
from tests.serving.conftest import ENV, PHOTOS, picture, searchable

from car_retrieval.cli import cli
from car_retrieval.serving import photo_packer
from car_retrieval.serving.run_artifacts import RunArtifacts, open_retriever

__all__ = ["searchable"]  # a fixture


@pytest.fixture
def here(searchable: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to the project, and add a photo that is not in the gallery."""
    monkeypatch.chdir(searchable)
    monkeypatch.setenv("KEDRO_ENV", ENV)
    (searchable / "new.jpg").write_bytes(picture(PHOTOS))
    return searchable


def search(*arguments: str, env: str = ENV) -> Result:
    return CliRunner().invoke(cli, ["search", *arguments, "--env", env])


def own(row: int) -> str:
    return f"data/01_raw/independent/traini/{row}.jpg"


def test_each_photo_gets_a_table(here: Path) -> None:
    result = search(own(1), "new.jpg", "--k", "3")
    assert result.exit_code == 0, result.output
    first, second = result.stdout.strip().split("\n\n")
    title, head, best, *others = first.splitlines()
    assert title.strip() == own(1)
    assert head.split() == ["rank", "similarity", "make", "model", "year", "path"]
    assert best.split() == ["1", "1.000", "Audi", "Audi", "A6", "2001", own(1)]
    assert len(others) == 2
    assert second.startswith("new.jpg")
    assert len(second.splitlines()) == 5


def test_long_paths_are_shortened_in_the_middle(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    lines = search("new.jpg", "--k=3").stdout.strip().splitlines()
    assert max(map(len, lines)) == 70
    for line in lines[2:]:
        assert re.search(r" data/\S+…\S+/\d+\.jpg$", line)


def test_each_photo_is_decoded_once(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    decode = photo_packer.decode
    monkeypatch.setattr(photo_packer, "decode", lambda *given: decoded.append(1) or decode(*given))
    assert search("new.jpg", own(1)).exit_code == 0
    assert len(decoded) == 2


def test_a_truncated_photo_is_named(here: Path) -> None:
    (here / "half.jpg").write_bytes(picture(PHOTOS)[:-200])
    result = search("new.jpg", "half.jpg")
    assert result.exit_code == 1
    assert "half.jpg: it cannot be decoded" in result.stderr


def test_json_has_one_line_per_photo(here: Path) -> None:
    result = search("new.jpg", own(2), "--json", "--k=2", "--make=audi", "--year=2001-2005")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["photo"] for line in lines] == ["new.jpg", own(2)]
    for line in lines:
        assert set(line) == {"photo", "crop", "known", "threshold", "groups", "matches"}
        assert [match["rank"] for match in line["matches"]] == [1, 2]
        for match in line["matches"]:
            assert match["make"] == "Audi"
            assert 2001 <= match["year"] <= 2005
            assert Path(match["path"]).read_bytes() == picture(int(Path(match["path"]).stem))


def test_stdout_contains_only_the_result(here: Path) -> None:
    run = kedro(
        here, "search", "new.jpg", "--json", "--method=lopq", "--crop=2,2,60,60", KEDRO_ENV=ENV
    )
    assert run.returncode == 0, run.stderr
    (line,) = run.stdout.splitlines()
    assert len(json.loads(line)["matches"]) == 10


def test_matches_below_the_threshold_are_marked(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunArtifacts, "_load_threshold", lambda self: 1.01)
    shown = search("new.jpg", "--k=1").stdout.splitlines()
    assert shown[0].startswith("new.jpg: no match above 1.010")
    assert shown[2].split()[1].startswith("(0.")
    assert json.loads(search("new.jpg", "--json").stdout)["known"] is False
    second = json.loads(search("new.jpg", "--json").stdout)["matches"][1]["similarity"]
    monkeypatch.setattr(RunArtifacts, "_load_threshold", lambda self: second + 1e-6)
    shown = search("new.jpg", "--k=2").stdout.splitlines()
    assert shown[0].startswith("new.jpg: ")
    assert f"threshold {second:.3f} are in brackets" in shown[0]
    assert [row.split()[1].startswith("(") for row in shown[2:4]] == [False, True]
    monkeypatch.setattr(RunArtifacts, "_load_threshold", lambda self: None)
    result = search("new.jpg", "--k=1")
    assert "(" not in result.stdout
    assert result.stderr.startswith("no match threshold")
    assert "diagnosis" in result.stderr


def test_several_photos_are_searched_together(here: Path) -> None:
    apart = [json.loads(line) for line in search(own(1), own(2), "--json").stdout.splitlines()]
    result = search(own(1), own(2), "--together", "--json", "--k=40")
    both = json.loads(result.stdout)
    assert both["photos"] == [own(1), own(2)]
    assert both["known"] is both["threshold"] is None
    assert "single photos" in result.stderr
    similarity = {match["path"]: match["similarity"] for match in both["matches"]}
    first, second = (similarity[str(here / own(row))] for row in (1, 2))
    assert first == pytest.approx(second, abs=1e-5)  # both, to their mean
    assert len(apart) == 2


def test_matches_should_not_look_like_a_photo(here: Path) -> None:
    plain = json.loads(search("new.jpg", "--json", "--k=40").stdout)["matches"]
    avoided = plain[0]["path"]
    asked = ["new.jpg", "--unlike", avoided, "--k=40"]
    result = json.loads(search(*asked, "--json").stdout)
    assert result["unlike"] == [avoided]
    similarity = {match["path"]: match["similarity"] for match in result["matches"]}
    assert similarity[avoided] < plain[0]["similarity"]
    assert search(*asked).stdout.startswith(f"new.jpg − {avoided}")
    none = json.loads(search(*asked, "--gamma=0", "--json").stdout)["matches"]
    assert [match["id"] for match in none] == [match["id"] for match in plain]


def test_photos_that_cancel_out(here: Path) -> None:
    result = search("new.jpg", "--unlike", "new.jpg", "--gamma=1")
    assert result.exit_code == 1
    assert "nothing is left to search for" in result.stderr.splitlines()[-1]


def test_classes_vote(here: Path) -> None:
    lines = search("new.jpg", "--k=40", "--group").stdout.splitlines()
    votes = [line for line in lines if " of 40, mean similarity " in line]
    assert len(votes) == 4
    assert sum(int(re.search(r"(\d+) of 40", vote)[1]) for vote in votes) == 40
    assert any(vote.startswith("Audi A4 2000–2008, 10 of 40") for vote in votes)
    groups = json.loads(search("new.jpg", "--k=40", "--json").stdout)["groups"]
    assert sum(group["share"] for group in groups) == pytest.approx(1)


def test_no_photo_matches_the_filters(here: Path) -> None:
    result = search("new.jpg", "--year", "1950")
    assert result.exit_code == 0
    assert result.stdout.startswith("new.jpg: no gallery photo")
    assert len(result.stdout.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["new.jpg", "no.jpg", "conf/base/catalog.yml"],
            "no.jpg: No such file or directory; conf/",
        ),
        (["conf"], "conf: Is a directory"),
        (["conf/base/catalog.yml"], "conf/base/catalog.yml: it is not a picture in a known format"),
        (["new.jpg", "--crop=5,5,4000,10"], "new.jpg: the crop 5,5,4000,10 does not lie inside"),
        (["new.jpg", "--unlike=no.jpg"], "no.jpg: No such file"),
        (["new.jpg", own(1), "--crop=1,1,9,9"], "--crop=x1,y1,x2,y2 needs a single photo, got 2"),
        (["new.jpg", "--make=Audy"], "make 'Audy'; did you mean Audi?"),
        (["new.jpg", "--model=Octavio"], "model 'Octavio'; did you mean Octavia?"),
        (["new.jpg", "--year=2010-2001"], "years 2010-2001"),
        (["new.jpg", "--env=compcars"], "run `kedro run --env=compcars` first"),
        (["new.jpg", "--env=nowhere"], "conf/nowhere"),
    ],
)
def test_bad_input_is_reported_on_one_line_before_the_network_is_loaded(
    here: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.setattr(RunArtifacts, "load_retriever", lambda self: pytest.fail("it was loaded"))
    env = [] if any(word.startswith("--env") for word in arguments) else ["--env", ENV]
    result = CliRunner().invoke(cli, ["search", *arguments, *env])
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert said in line


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--year=20x", "expected 2012 or 2010-2014, got '20x'"),
        ("--crop=1,2,3", "expected auto, none or x1,y1,x2,y2, got '1,2,3'"),
        ("--k=0", "0 is not in the range"),
        ("--method=best", "'best' is not one of"),
    ],
)
def test_an_invalid_value_is_a_usage_error(option: str, said: str) -> None:
    result = search("new.jpg", option)
    assert result.exit_code == 2
    assert said in result.output


def test_the_lines_of_the_readme(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (lines,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.S | re.M)
    assert len([line for line in lines.splitlines() if line]) == 3
    (here / "photo.jpg").write_bytes(picture(4))
    exec(lines, {})
    printed = capsys.readouterr().out
    assert printed.count("Match(id=") == 5
    assert "similarity=" in printed


def test_it_works_in_a_subfolder_of_the_project(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(here / "data")
    result = search(str(here / own(3)), "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["matches"][0]["path"].endswith("/3.jpg")
    assert len(open_retriever().gallery.snapshot()) == PHOTOS
