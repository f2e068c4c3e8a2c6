import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from car_retrieval.explain.attribution import attributions, per_view
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.models.encoder import Encoder
from car_retrieval.models.features import Features
from car_retrieval.models.whitening import Whitening
from car_retrieval.search.pca import PCA

MAPS = torch.rand(2, 5, 3, 4, generator=torch.Generator().manual_seed(0))
OTHERS = F.normalize(torch.randn(2, 6, generator=torch.Generator().manual_seed(1)))


class Given(nn.Module):
    """A backbone that makes the same features of every photo."""

    def __init__(self, features):
        super().__init__()
        self.features = features

    def forward(self, images):
        return Features(self.features)


def network(features, pooling="gem", neck="none"):
    """A network with random weights and statistics on top of given features."""
    torch.manual_seed(0)
    net = DescriptorNet(DescriptorConfig("resnet18", 6, 32, pooling=pooling, neck=neck))
    channels = features.shape[1] * (2 if pooling == "gem_max" else 1)
    net.backbone, net.projection = Given(features), nn.Linear(channels, 6)
    if neck == "bnneck":
        net.neck.running_mean.normal_()
        net.neck.running_var.uniform_(0.5, 2)
        nn.init.uniform_(net.neck.weight, 0.5, 2)
    return net.eval()


@pytest.mark.parametrize("pooling", ["gem", "average", "max", "gem_max"])
@pytest.mark.parametrize("neck", ["none", "bnneck"])
@pytest.mark.parametrize("maps", [MAPS, MAPS - 0.5], ids=["positive", "signed"])
def test_they_add_up_to_the_similarity(pooling, neck, maps):
    net = network(maps, pooling, neck)
    images = torch.zeros(2, 3, 32, 32)
    found = attributions(net, images, OTHERS)
    assert found.shape == (2, 3, 4)
    with torch.inference_mode():
        wanted = (net(images) * OTHERS).sum(dim=1)
    torch.testing.assert_close(found.sum((1, 2)), wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("p", [1.0, 3.0, 4.7])
def test_gem_position_by_position(p):
    """Every position's share xᵖ / Σ xᵖ of every channel, by a loop."""
    net = network(MAPS)
    net.pool.p.data.fill_(p)
    found = attributions(net, torch.zeros(2, 3, 32, 32), OTHERS)
    weight, bias = (v.detach().double().numpy() for v in net.projection.parameters())
    maps, others = MAPS.double().numpy(), OTHERS.double().numpy()
    for image in range(2):
        pooled = (maps[image] ** p).mean((1, 2)) ** (1 / p)
        length = np.linalg.norm(weight @ pooled + bias)
        for row in range(3):
            for column in range(4):
                share = maps[image, :, row, column] ** p / (maps[image] ** p).sum((1, 2))
                wanted = others[image] @ (weight @ (share * pooled) + bias / 12) / length
                assert found[image, row, column].item() == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("pooling", ["gem", "average", "max"])
def test_all_of_it_lies_where_all_features_lie(pooling):
    maps = torch.zeros(2, 5, 3, 4)
    maps[:, :, 1, 2] = MAPS[:, :, 0, 0]
    net = network(maps, pooling)
    nn.init.zeros_(net.projection.bias)
    found = attributions(net, torch.zeros(2, 3, 32, 32), OTHERS)
    elsewhere = found.clone()
    elsewhere[:, 1, 2] = 0
    assert elsewhere.abs().max() < 1e-4
    assert found[:, 1, 2].abs().min() > 1e-2


def test_of_a_photo_with_itself_and_of_a_whole_network():
    torch.manual_seed(0)
    net = DescriptorNet(DescriptorConfig("resnet18", 8, 64))
    images = torch.randint(0, 256, (3, 3, 64, 96), dtype=torch.uint8)
    with torch.inference_mode():
        own = net.eval()(images)
    found = attributions(net, images, own)
    assert found.shape == (3, 2, 3)
    torch.testing.assert_close(found.sum((1, 2)), torch.ones(3))
    assert not found.requires_grad
    assert all(weight.grad is None for weight in net.parameters())


def test_tokens_of_a_transformer():
    with torch.device("meta"):
        net = DescriptorNet(DescriptorConfig("vit_b_32", 8, 64))
        found = attributions(net, torch.zeros(2, 3, 64, 64), torch.zeros(2, 8))
    assert found.shape == (2, 2, 2)


def test_a_class_token_has_no_position():
    with torch.device("meta"):
        net = DescriptorNet(DescriptorConfig("vit_b_32", 8, 32, pooling="cls"))
        with pytest.raises(ValueError, match="pooling cls has no positions"):
            attributions(net, torch.zeros(2, 3, 32, 32), torch.zeros(2, 8))


@pytest.mark.parametrize("whitened", [False, True])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("scales", [[1.0], [1.0, 0.5, 1.5]])
def test_all_looks_add_up_to_the_similarity(scales, flip, whitened):
    torch.manual_seed(0)
    encoder = Encoder(DescriptorNet(DescriptorConfig("resnet18", 8, 64)), scales, flip).eval()
    width = 8 * len(scales)
    components = torch.randn(5, width).numpy()
    projection = PCA(torch.rand(width).numpy(), components) if whitened else None
    whitening = Whitening(projection)
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        own, other = torch.from_numpy(whitening(encoder(images).numpy()))
    looks = list(per_view(encoder, images[0], other, whitening))
    assert [look[:2] for look in looks] == [
        (scale, mirrored) for scale in scales for mirrored in ([False, True] if flip else [False])
    ]
    total = sum(parts.sum() for _, _, parts in looks)
    torch.testing.assert_close(total, own @ other, atol=1e-5, rtol=0)
