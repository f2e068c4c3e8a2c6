from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import car_retrieval.explain.heat_map
from car_retrieval.explain.heat_map import first_centre, heat_map
from car_retrieval.models.backbone import build_backbone
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.models.encoder import Encoder
from car_retrieval.models.features import Features
from car_retrieval.models.whitening import Whitening
from car_retrieval.search.pca import PCA

CHANNELS = 6


def network(layers, pooling="gem"):
    """A network that describes by a few layers, whose projection changes nothing."""
    net = DescriptorNet(DescriptorConfig("resnet18", CHANNELS, 64))
    net.config = replace(net.config, pooling=pooling)
    net.backbone, net.projection = layers, nn.Identity()
    if pooling == "cls":
        net.pool = nn.Identity()
    net.mean.zero_()
    net.std.fill_(255)
    return net


class Layers(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, images):
        features = self.layers(images).relu()
        return Features(features, features.mean((2, 3)))


def convolution(kernel, stride, padding):
    """One whose first three channels look for red, green and blue."""
    layer = nn.Conv2d(3, CHANNELS, kernel, stride, padding)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    for colour in range(3):
        nn.init.ones_(layer.weight[colour, colour])
    return layer


def middle_of_heat(heat):
    """The centre of what lies above half of the maximum."""
    down, across = torch.nonzero(heat > heat.max() / 2).float().mean(0).tolist()
    return down, across


@pytest.mark.parametrize(
    ("layers", "pooling"),
    [
        pytest.param([convolution(8, 8, 0)], "gem", id="patches"),
        pytest.param([convolution(9, 8, 4)], "gem", id="padded"),
        pytest.param([convolution(3, 2, 1), nn.AdaptiveMaxPool2d(2)], "gem", id="coarse"),
        pytest.param([convolution(8, 8, 0)], "cls", id="class token"),
    ],
)
@pytest.mark.parametrize("spot", [(20, 44), (36, 12)])
@pytest.mark.parametrize(("scales", "flip"), [([1.0], False), ([1.0, 2.0], True)])
def test_a_red_spot_on_blue_is_where_red_is(layers, pooling, spot, scales, flip):
    net = network(Layers(*layers), pooling)
    image = torch.zeros(3, 64, 64, dtype=torch.uint8)
    image[2] = 200
    image[:, spot[0] - 4 : spot[0] + 4, spot[1] - 4 : spot[1] + 4] = torch.tensor([255, 0, 0])[
        :, None, None
    ]
    other = F.normalize(torch.eye(CHANNELS)[0].repeat(len(scales)), dim=0)
    heat = heat_map(Encoder(net, scales, flip), image, other)
    assert heat.shape == (64, 64)
    assert heat.dtype == torch.float32
    assert middle_of_heat(heat) == pytest.approx([spot[0] - 0.5, spot[1] - 0.5], abs=4)


def test_the_mean_is_the_similarity_and_the_mirror_image_has_the_mirrored_heat():
    torch.manual_seed(0)
    encoder = Encoder(network(Layers(convolution(8, 8, 0))), [1.0, 2.0], flip=True)
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        own, other = encoder.eval()(images)
    heat = heat_map(encoder, images[0], other)
    assert heat.mean().item() == pytest.approx((own @ other).item(), abs=0.01)
    torch.testing.assert_close(heat_map(encoder, images[0].flip(-1), other), heat.flip(-1))


@pytest.mark.parametrize("whiten", [False, True])
def test_where_positions_say_nothing_the_mean_is_what_blurring_loses(whiten, monkeypatch):
    monkeypatch.setattr(car_retrieval.explain.heat_map, "STEPS", 64)
    torch.manual_seed(0)
    encoder = Encoder(DescriptorNet(DescriptorConfig("resnet18", 8, 64)), [1.0, 0.5], flip=True)
    image = (255 * F.interpolate(torch.rand(1, 3, 16, 16), 64, mode="bicubic")).clamp(0, 255)[0]
    blurred = F.interpolate(F.adaptive_avg_pool2d(image, 4)[None], 64, mode="bilinear")[0]
    projection = PCA(np.full(16, 0.1, np.float32), np.eye(5, 16, dtype=np.float32))
    whitening = Whitening(projection if whiten else None)
    with torch.inference_mode():
        described = encoder.eval()(torch.stack([image, blurred])).numpy()
    sharp, coarse = torch.from_numpy(whitening(described))
    heat = heat_map(encoder, image, sharp, whitening)
    lost = 1 - (sharp @ coarse).item()
    assert lost > 0.05
    assert heat.mean().item() == pytest.approx(lost, rel=0.1)


class TwoHalves(nn.Module):
    """A channel for the light of the left half, one for that of the right, on a map as asked."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def forward(self, images):
        light = F.adaptive_max_pool2d(images.mean(1, keepdim=True), self.size)
        half = self.size // 2
        left, right = light.clone(), light.clone()
        left[..., half:], right[..., :half] = 0, 0
        return Features(torch.cat([left, right, *(torch.zeros_like(left),) * 4], dim=1))


@pytest.mark.parametrize("size", [2, 8])
@pytest.mark.parametrize(("other", "hot"), [(0, slice(0, 32)), (1, slice(32, 64))])
def test_only_what_the_other_photo_shares_is_hot(size, other, hot):
    """Two lights, of which the other photo has one."""
    net = network(TwoHalves(size))
    image = torch.zeros(3, 64, 64)
    image[:, 18:22, 14:18] = image[:, 42:46, 46:50] = 255
    heat = heat_map(Encoder(net), image, torch.eye(CHANNELS)[other]).clamp(min=0)
    assert heat[:, hot].sum() > 0.9 * heat.sum() > 0


@pytest.mark.parametrize("arch", ["resnet18", "efficientnet_b0", "convnext_tiny", "swin_t"])
def test_where_a_position_looks(arch):
    """Against the centre of gravity of the pixels that move a position in the middle."""
    torch.manual_seed(0)
    net, example = build_backbone(arch, None, 224)
    positions = example.map.shape[-1]
    step, middle = 224 / positions, positions // 2
    images = torch.randn(1, 3, 224, 224, requires_grad=True)
    seen = net.eval()(images).map[0, :, middle, middle]
    (seen / seen.detach().norm()).square().sum().backward()
    pull = images.grad.double().square().sum((0, 1))
    pixels = torch.arange(224.0)
    for side in (0, 1):
        share = pull.sum(side) / pull.sum()
        found = (share * pixels).sum() - middle * step
        assert found == pytest.approx(first_centre(net, step), abs=6)
