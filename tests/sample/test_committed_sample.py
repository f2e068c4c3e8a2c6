"""The sample in the repository is what `kedro run --pipelines sample_data` draws."""

from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.parameters import sample_params

from car_retrieval.sample import tree as sample_tree

ROOT = Path(__file__).parents[2] / "data" / "01_raw" / "sample"


@pytest.fixture(scope="module")
def files():
    return {path.relative_to(ROOT).as_posix(): path for path in ROOT.rglob("*") if path.is_file()}


def test_size(files):
    params = sample_params()
    kinds = Counter(path.rpartition(".")[2] for path in files if path.endswith((".jpg", ".mat")))
    assert kinds == {"jpg": params.web_photos + params.surveillance_photos, "mat": 2}
    assert sum(path.stat().st_size for path in files.values()) < 8_000_000


def test_it_carries_the_marker_that_lets_it_be_redrawn(files):
    assert ".file_tree" in files


def test_it_equals_a_fresh_drawing(files, monkeypatch):
    # All tables, lists and oddities, but one photo in nine: a photo is drawn by itself, so that
    # a change of the drawing shows in any of them.
    def draw_some(shots, workers):
        return (shot.files() for shot in [*shots[:9], *shots[9::9]])

    monkeypatch.setattr(sample_tree, "draw_all", draw_some)
    drawn = dict(sample_tree.compcars_tree(**sample_params().model_dump()))
    assert len(drawn) > 200
    assert set(drawn) <= set(files)
    for path, content in drawn.items():
        found = files[path].read_bytes()
        if path.endswith(".jpg"):
            assert same_picture(found, content), path
        else:
            assert found == content, path


def same_picture(first: bytes, second: bytes) -> bool:
    """Equal bytes, or, where Pillow was built with another JPEG encoder, nearly equal pixels."""
    if first == second:
        return True
    try:
        pictures = [np.asarray(Image.open(BytesIO(c)), dtype=float) for c in (first, second)]
    except OSError:  # the one that is truncated on purpose
        return Image.open(BytesIO(first)).size == Image.open(BytesIO(second)).size
    return pictures[0].shape == pictures[1].shape and abs(pictures[0] - pictures[1]).mean() < 2
