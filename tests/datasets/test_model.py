import json

import pytest
import torch
from kedro.io import Version
from safetensors.torch import save_file

from car_retrieval.datasets.model import ModelDataset
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet


@pytest.mark.parametrize("dimension", [None, 8])
def test_round_trip(tmp_path, dimension):
    torch.manual_seed(0)
    net = DescriptorNet(DescriptorConfig("resnet18", dimension, 32)).eval()
    file = tmp_path / "model.safetensors"
    dataset = ModelDataset(filepath=str(file), version=Version(None, "v1"))
    net.provenance = {"parameters": {"lr": 0.1, "weights": None}, "versions": {"torch": "2"}}
    dataset.save(net)
    read = dataset.load()
    assert read.provenance == net.provenance
    assert read.config == net.config
    assert read.fingerprint() == net.fingerprint()
    assert not read.training
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    with torch.inference_mode():
        assert torch.equal(read(images), net(images))
    header = (file / "v1" / "model.safetensors").read_bytes()[:4096]
    assert rb"\"lr\": 0.1" in header  # readable without code of ours
    assert [f.name for f in (file / "v1").iterdir()] == ["model.safetensors"]


def test_a_model_of_before_pooling_and_neck_were_chosen(tmp_path):
    net = DescriptorNet(DescriptorConfig("resnet18", 8, 32)).eval()
    config = {"arch": "resnet18", "dimension": 8, "image_size": 32, "normalisation": "imagenet"}
    file = tmp_path / "v1" / "model.safetensors"
    file.parent.mkdir()
    state = {name: value.contiguous() for name, value in net.state_dict().items()}
    assert {"backbone.4.0.conv1.weight", "pool.p", "projection.bias"} <= set(state)
    save_file(state, file, metadata={"config": json.dumps(config)})
    read = ModelDataset(filepath=str(file)).load()
    assert read.config == net.config
    assert read.fingerprint() == net.fingerprint()
