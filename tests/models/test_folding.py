"""Folding against the network itself."""

import pytest
import torch
from torch import nn

from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.models.encoder import Encoder
from car_retrieval.models.folding import folded


def norms(net: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in net.modules())


def shaken(net: nn.Module) -> nn.Module:
    """Give batch normalisations statistics and weights that matter."""
    generator = torch.Generator().manual_seed(1)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight.data, module.running_var):
                values.uniform_(0.5, 1.5, generator=generator)
            for values in (module.bias.data, module.running_mean):
                values.uniform_(-0.2, 0.2, generator=generator)
    return net.eval()


@pytest.mark.parametrize(
    "arch",
    ["resnet18", "timm/tf_efficientnet_lite0", "timm/convnext_atto", "timm/vit_tiny_patch16_224"],
)
def test_descriptors_stay_the_same(arch: str) -> None:
    net = shaken(DescriptorNet(DescriptorConfig(arch, 32, 64)))
    images = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    encoder = Encoder(net, [1.0, 0.5], flip=True).eval()
    fast = folded(encoder, images[:1])
    assert norms(fast) == 0
    with torch.inference_mode():
        torch.testing.assert_close(fast(images), encoder(images), atol=1e-5, rtol=0)
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, before[name], atol=0, rtol=0)
    assert net.backbone.training == net.training == fast.net.training is False


class Odd(nn.Module):
    """A network whose convolution is used without its normalisation, too, or with two."""

    def __init__(self, norms: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norms = nn.ModuleList(nn.BatchNorm2d(4) for _ in range(norms))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raw: torch.Tensor = self.conv(images)
        if len(self.norms) == 1:
            return raw + self.norms[0](raw)
        return sum(norm(self.conv(images)) for norm in self.norms)


@pytest.mark.parametrize("norms", [1, 2])
def test_what_cannot_be_folded_stays(norms: int) -> None:
    net = shaken(Odd(norms))
    assert folded(net, torch.rand(1, 3, 8, 8)) is net


def test_training_goes_on_after_an_encoding() -> None:
    net = DescriptorNet(DescriptorConfig("resnet18", 16, 32))
    folded(net.eval(), torch.rand(1, 3, 32, 32))
    net.train()(torch.rand(2, 3, 32, 32)).sum().backward()
    assert norms(net) > 0
    assert net.backbone is not None
    assert all(weight.grad is not None for weight in net.backbone.parameters())
