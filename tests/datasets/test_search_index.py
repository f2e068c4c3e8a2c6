import inspect
import json

import numpy as np
import pytest
from kedro.io import DatasetError
from kedro_datasets import _typing as known_to_viz

from car_retrieval.datasets.search_index import SearchIndexDataset
from car_retrieval.search.build import make_index
from car_retrieval.search.storage import SignedIndex


@pytest.fixture
def signed():
    vectors = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    index = make_index("lopq", {"coarse": 2, "subquantisers": 4})
    index.fit(vectors, 0)
    index.add(vectors, np.arange(50) * 3)
    return SignedIndex(index, {"encoder": {"weights": "ab"}})


def test_round_trip(tmp_path, signed):
    dataset = SearchIndexDataset(str(tmp_path / "i.safetensors"))
    assert not dataset.exists()
    dataset.save(signed)
    read = dataset.load()
    assert read.signature == {"encoder": {"weights": "ab"}}
    queries = np.eye(8, dtype=np.float32)
    for ours, theirs in zip(
        signed.index.search(queries, 5), read.index.search(queries, 5), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_preview(tmp_path, signed):
    dataset = SearchIndexDataset(str(tmp_path / "i.safetensors"))
    dataset.save(signed)
    shown = json.loads(dataset.preview())
    assert shown["kind"] == "lopq"
    assert shown["vectors"] == 50
    assert shown["bytes per vector"] == pytest.approx(signed.index.bytes_per_vector, abs=0.1)
    assert shown["encoder"] == {"weights": "ab"}
    annotation = inspect.signature(dataset.preview).return_annotation
    assert hasattr(known_to_viz, annotation.__name__)


def test_what_is_no_index_is_refused(tmp_path):
    file = tmp_path / "i.safetensors"
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(DatasetError, match="is not an index"):
        SearchIndexDataset(str(file)).load()
