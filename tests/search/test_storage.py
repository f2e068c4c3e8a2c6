import os

import numpy as np
import pytest
from safetensors.numpy import save_file

from car_retrieval.search.faiss_index import FaissIndex
from car_retrieval.search.lopq.fit import LopqParams
from car_retrieval.search.lopq.index import LopqIndex
from car_retrieval.search.storage import load_index, save_index

SIGNATURE = {"weights": "abc", "scales": (1.0, 0.7), "size": 224}
KINDS = {
    "lopq": lambda: LopqIndex(LopqParams(coarse=3, subquantisers=4, bits=4, quota=90)),
    "lopq, whitened": lambda: LopqIndex(
        LopqParams(splits=1, coarse=3, subquantisers=4, pca=8, whiten=True, codebooks="shared")
    ),
    "IVF4,SQ8": lambda: FaissIndex("IVF4,SQ8", {"nprobe": 3}),
    "HNSW8": lambda: FaissIndex("HNSW8", {"efSearch": 40}),
    "IVF4,RaBitQ": lambda: FaissIndex("IVF4,RaBitQ"),
}


def vectors_of(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)


def made(kind="lopq", count=200):
    index = KINDS[kind]()
    index.fit(vectors_of(200), 0)
    index.add(vectors_of(count), 10 * np.arange(count)[::-1])
    return index


@pytest.mark.parametrize("count", [200, 0])
@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_index_is_the_same(tmp_path, kind, count):
    index, path = made(kind, count), tmp_path / "new" / "a.index"
    save_index(index, path, SIGNATURE)
    loaded = load_index(str(path), SIGNATURE)
    assert type(loaded) is type(index)
    assert len(loaded) == count
    assert loaded.bytes_per_vector == index.bytes_per_vector
    more = vectors_of(30, seed=2)
    for again in range(2):
        for found, wanted in zip(
            loaded.search(vectors_of(40, seed=1), 7),
            index.search(vectors_of(40, seed=1), 7),
            strict=True,
        ):
            np.testing.assert_array_equal(found, wanted)
        for each in (index, loaded):
            each.add(more, np.arange(5_000 + 50 * again, 5_030 + 50 * again))
    assert os.listdir(path.parent) == ["a.index"]


def test_descriptors_of_another_encoder(tmp_path):
    path = tmp_path / "a.index"
    save_index(made(), path, SIGNATURE)
    with pytest.raises(ValueError, match=f"{path} holds other descriptors"):
        load_index(path, SIGNATURE | {"size": 128})
    with pytest.raises(ValueError, match="other descriptors"):
        load_index(path, {})
    assert len(load_index(path)) == 200


@pytest.mark.parametrize("kind", ["lopq", "IVF4,SQ8"])
def test_any_flipped_byte_is_refused(tmp_path, kind):
    path = tmp_path / "a.index"
    save_index(made(kind, 20), path, SIGNATURE)
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    text = whole[:header].rstrip(b" ")  # spaces that fill the header up say nothing
    places = [*range(len(text)), *range(header, len(whole), 97), len(whole) - 1]
    for place in places:
        broken = bytearray(whole)
        broken[place] ^= 1
        path.write_bytes(broken)
        with pytest.raises(ValueError, match="create it again") as caught:
            load_index(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no index", b"\x80\x04N.", b"\xff" * 200])
def test_no_index(tmp_path, content):
    path = tmp_path / "a.index"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{path} is not an index") as caught:
        load_index(path)
    assert "\n" not in str(caught.value)


def test_another_safetensors_file(tmp_path):
    path = tmp_path / "weights.safetensors"
    for metadata in (None, {"about": "{}"}):
        save_file({"weight": np.ones(3)}, path, metadata=metadata)
        with pytest.raises(ValueError, match="is not an index"):
            load_index(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.index"):
        load_index(tmp_path / "none.index")


def test_a_cut_file(tmp_path):
    path = tmp_path / "a.index"
    save_index(made(), path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match="is not an index"):
        load_index(path)


def test_an_index_of_an_unknown_kind_or_without_its_arrays(tmp_path, monkeypatch):
    path = tmp_path / "a.index"
    index = made()
    monkeypatch.setattr(type(index), "kind", "other")
    save_index(index, path)
    with pytest.raises(ValueError, match="is not an index"):
        load_index(path)
    monkeypatch.undo()
    _, about = index.state()
    monkeypatch.setattr(type(index), "state", lambda self: ({"x": np.ones(1)}, about))
    save_index(index, path)
    with pytest.raises(ValueError, match="is not an index"):
        load_index(path)
