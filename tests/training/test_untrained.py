"""A network that is not trained: what it is made of, and what is said of it."""

import logging

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from tests.parameters import training_params

from car_retrieval.models.backbone import build_backbone
from car_retrieval.models.descriptor import DescriptorConfig, config_of, network_of
from car_retrieval.training.untrained import untrained, untrained_checkpoint, untrained_network
from car_retrieval.training.validation import Validation

SIZE = 32
PARAMS = training_params(epochs=0, dimension=16, neck="bnneck", pooling="average", k=2)


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(3)
    net, _ = build_backbone("resnet18", None, SIZE)
    names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
    renamed = {
        ".".join([names[int(name.split(".")[0])], *name.split(".")[1:]]): value
        for name, value in net.state_dict().items()
    }
    torch.save(renamed, tmp_path / "weights.pth")
    return net.eval(), str(tmp_path / "weights.pth")


def test_descriptors_are_the_pooled_features_of_the_given_weights(weights) -> None:
    backbone, file = weights
    params = PARAMS.model_copy(update={"weights": file})
    net = untrained_network(params, SIZE, data="")
    images = torch.randint(0, 256, (3, 3, SIZE, SIZE), dtype=torch.uint8)
    mean, std = ((value / 255) for value in (net.mean, net.std))
    with torch.no_grad():
        features = backbone((images / 255 - mean) / std).map
        assert torch.allclose(net(images), F.normalize(features.mean((2, 3))), atol=1e-5)
    assert {name.split(".")[0] for name, _ in net.named_parameters()} == {"backbone"}


def test_the_checkpoint_is_rated_and_becomes_the_network(caplog) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, 3, SIZE, SIZE), dtype=np.uint8)
    split = pd.DataFrame({"Index": range(8), "Class": [0, 1] * 4, "Hash": list("abcdefgh")})
    split["split"] = ["train"] * 4 + ["valid"] * 4
    pairs = np.array([[4, 0, 1], [5, 0, 0]])
    with caplog.at_level(logging.WARNING):
        validation = Validation(images, split, pairs, 2)
        checkpoint = untrained_checkpoint(split, SIZE, PARAMS, validation)
    assert checkpoint["report"]["epoch"] == 0
    assert "loss" not in checkpoint["report"]
    assert 0 <= checkpoint["report"]["mAP@2"] <= 1
    net = network_of(checkpoint)
    assert net.dimension == 512
    assert net.photos is not None
    assert set(net.photos.roles(split["Hash"])) == {"other"}  # none of them trained
    assert untrained(net.provenance) == "random network, not trained at all"
    assert "training.weights" in caplog.text
    assert "{kind: pca, dimension: 16}" in caplog.text


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ({}, None),
        ({"parameters": {"epochs": 3, "weights": "imagenet"}}, None),
        ({"parameters": {"epochs": 0, "weights": "imagenet"}}, "not trained on these photos"),
        ({"parameters": {"epochs": 0, "weights": None}}, "random"),
    ],
)
def test_what_is_said(about, says) -> None:
    assert (says in untrained(about)) if says else untrained(about) is None


def test_configurations_of_older_checkpoints_have_a_projection() -> None:
    old = {"arch": "resnet18", "dimension": 16, "image_size": SIZE, "pooling": "average"}
    changes = {"epochs": 1, "neck": "none", "normalisation": "imagenet"}
    new = config_of(PARAMS.model_copy(update=changes), SIZE)
    assert DescriptorConfig(**old) == new
