"""What the report says of how a run was made."""

from importlib.metadata import version
from pathlib import Path

import numpy as np
from tests.parameters import evaluation_params, training_params

from car_retrieval.io.matrix import Matrix, MatrixStream, write_matrix
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.models.encoder import Encoder
from car_retrieval.pipelines.reporting.provenance import tell_provenance
from car_retrieval.training.provenance import provenance


def test_parameters_encoder_libraries_and_digests(tmp_path: Path) -> None:
    net = DescriptorNet(DescriptorConfig("resnet18", 8, 32))
    net.provenance = provenance(training_params(arch="resnet18", lr=0.25), "0123")
    attributes = {"encoder": Encoder(net, [1.0, 0.5]).signature(), "photos": "4567"}
    write_matrix(tmp_path / "d.npy", MatrixStream([np.zeros((1, 16), np.float32)], attributes))
    facts = tell_provenance(Matrix(tmp_path / "d.npy"), net, {}, evaluation_params(k=7))
    assert facts["Training"]["training.lr"] == "0.25"
    assert facts["Training"]["training.augmentation.crop"]
    assert facts["Training"]["training.weights"] in ("null", "imagenet")
    assert facts["Encoder"]["scales"] == "[1.0, 0.5]"
    assert facts["Encoder"]["weights"] == net.fingerprint()
    assert facts["Evaluation"]["evaluation.k"] == "7"
    for library in ("torch", "numpy", "kedro", "faiss-cpu"):
        assert facts["Evaluated with"][library] == version(library)
    assert "onnx" not in facts["Evaluated with"]  # of an extra
    assert facts["Digests"] == {"split": "0123", "photos": "4567"}


def test_a_network_that_was_not_trained(tmp_path: Path) -> None:
    net = DescriptorNet(DescriptorConfig("resnet18", 8, 32))
    attributes = {"encoder": Encoder(net).signature(), "photos": "4567"}
    write_matrix(tmp_path / "d.npy", MatrixStream([np.zeros((1, 8), np.float32)], attributes))
    facts = tell_provenance(Matrix(tmp_path / "d.npy"), net, {}, evaluation_params())
    assert facts["Digests"]["split"] == "null"
