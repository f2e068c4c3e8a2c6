import numpy as np
from kedro.io import Version

from car_retrieval.datasets.whitening import WhiteningDataset
from car_retrieval.models.whitening import Whitening
from car_retrieval.search.pca import PCA


def test_a_whitening_comes_back(tmp_path):
    rng = np.random.default_rng(0)
    mean, components = (rng.normal(size=shape).astype(np.float32) for shape in (8, (3, 8)))
    signature = {"encoder": {"scales": [0.5, 1.0], "flip": True}, "settings": {"power": 0.5}}
    saved = Whitening(PCA(mean, components), signature)
    dataset = WhiteningDataset(str(tmp_path / "w.safetensors"), Version(None, "v1"))
    dataset.save(saved)
    loaded = dataset.load()
    np.testing.assert_array_equal(loaded.projection.mean, mean)
    np.testing.assert_array_equal(loaded.projection.components, components)
    assert loaded.signature == signature
    assert loaded.fingerprint() == saved.fingerprint()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["w.safetensors"]


def test_no_whitening_comes_back_as_none(tmp_path):
    dataset = WhiteningDataset(str(tmp_path / "w.safetensors"))
    dataset.save(Whitening())
    assert dataset.load() == Whitening()
