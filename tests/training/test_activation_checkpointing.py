from copy import deepcopy

import pytest
import torch
import torchvision
from torch import nn

from car_retrieval.training.activation_checkpointing import recompute_blocks
from car_retrieval.training.optimizer import keep_statistics


def resnet():
    return nn.Sequential(*list(torchvision.models.resnet18().children())[:-2])


NETWORKS = {
    "resnet18": (resnet, torchvision.models.resnet.BasicBlock, 8),
    "efficientnet_b0": (
        lambda: torchvision.models.efficientnet_b0().features,
        torchvision.models.efficientnet.MBConv,
        16,
    ),
    "vit": (
        lambda: torchvision.models.VisionTransformer(32, 16, 2, 2, 8, 16, dropout=0.1),
        torchvision.models.vision_transformer.EncoderBlock,
        2,
    ),
}


def run(net, images):
    """State and gradients after a forward and a backward pass, and calls of each kind of module."""
    calls = []
    for module in net.modules():
        module.register_forward_pre_hook(lambda module, _: calls.append(type(module)))
    torch.manual_seed(1)  # of dropout and stochastic depth
    output = net(images)
    forward = len(calls)
    (output**2).mean().backward()
    gradients = {name: weight.grad for name, weight in net.named_parameters()}
    return net.state_dict() | {f"gradient of {name}": g for name, g in gradients.items()}, [
        calls[:forward],
        calls[forward:],
    ]


@pytest.mark.parametrize("freeze", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_and_statistics_are_the_same(name, freeze):
    make, kind, count = NETWORKS[name]
    torch.manual_seed(0)
    plain = make().train()
    recomputed = deepcopy(plain)
    recompute_blocks(recomputed)
    if freeze:
        keep_statistics(plain)
        keep_statistics(recomputed)
    images = torch.rand(4, 3, 32, 32)
    expected, (forward, backward) = run(plain, images)
    assert forward.count(kind) == count
    assert not backward
    found, (_, again) = run(recomputed, images)
    inner = [
        module
        for block in plain.modules()
        if isinstance(block, kind)
        for module in block.children()
    ]
    assert len(again) >= len(inner)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(found[key], value), key


def test_evaluation_is_the_same():
    torch.manual_seed(0)
    plain = resnet().eval()
    recomputed = deepcopy(plain)
    recompute_blocks(recomputed)
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(recomputed(images), plain(images))
