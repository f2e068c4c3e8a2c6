from copy import deepcopy

import pytest
import torch
from timm.layers.conv2d_same import Conv2dSame
from torch import nn

from car_retrieval.training.depthwise import Depthwise, speed_up_depthwise


def gradients(layer: nn.Module, images: torch.Tensor, half: bool = False) -> list[torch.Tensor]:
    own = images.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        found = layer(own)
    found.float().square().sum().backward()
    assert own.grad is not None
    return [found.float().detach(), own.grad, *(weight.grad for weight in layer.parameters())]


@pytest.mark.parametrize("size", [(9, 12), (10, 10), (3, 2)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize("kind", ["zeros", "same", "none"])
def test_gradients_are_those_of_the_layer(size, stride, side, kind):
    torch.manual_seed(0)
    make = Conv2dSame if kind == "same" else nn.Conv2d
    if kind == "none":
        size = (size[0] + 4, size[1] + 4)
    padding = side // 2 if kind == "zeros" else 0
    layer = make(6, 6, side, stride, padding, groups=6, bias=False)
    images = torch.randn(3, 6, *size)
    wanted = gradients(layer, images)
    layer.zero_grad()
    for found, expected in zip(gradients(Depthwise(layer), images), wanted, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stride", [1, 2])
def test_in_half_precision(stride):
    torch.manual_seed(0)
    layer = nn.Conv2d(16, 16, 5, stride, 2, groups=16, bias=False)
    images = torch.randn(4, 16, 12, 12)
    wanted = gradients(layer, images)
    layer.zero_grad()
    for found, expected in zip(gradients(Depthwise(layer), images, True), wanted, strict=True):
        assert found.dtype == torch.float32
        assert (found - expected).norm() < 0.02 * expected.norm()


def test_frozen_weights_get_no_gradient():
    layer = nn.Conv2d(4, 4, 5, 1, 2, groups=4, bias=False).requires_grad_(False)
    images = torch.randn(2, 4, 6, 6, requires_grad=True)
    Depthwise(layer)(images).sum().backward()
    assert layer.weight.grad is None
    assert images.grad is not None


def test_only_depthwise_layers_are_replaced():
    kept = [
        nn.Conv2d(4, 4, 7, padding=3, groups=4, bias=False),
        nn.Conv2d(4, 4, 5, padding=2, groups=2, bias=False),
        nn.Conv2d(4, 4, 5, padding=2, groups=4),
        nn.Conv2d(4, 4, 5, padding=4, dilation=2, groups=4, bias=False),
    ]
    replaced = nn.Conv2d(4, 4, 5, padding=2, groups=4, bias=False)
    net = nn.Sequential(nn.Sequential(*kept), nn.Sequential(replaced))
    before = deepcopy(net.state_dict())
    images = torch.randn(1, 4, 8, 8)
    wanted = net(images)
    speed_up_depthwise(net)
    assert list(net[0]) == kept
    assert isinstance(net[1][0], Depthwise)
    torch.testing.assert_close(net(images), wanted)
    after = net.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert net[1][0].weight is replaced.weight
