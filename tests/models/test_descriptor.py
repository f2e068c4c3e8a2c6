from dataclasses import asdict, replace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from car_retrieval.models.descriptor import (
    DescriptorConfig,
    DescriptorNet,
    network_of,
    pick_device,
    restored,
)

CONFIG = DescriptorConfig("resnet18", 8, 32)


def network(config=CONFIG):
    torch.manual_seed(0)
    return DescriptorNet(config).eval()


@pytest.fixture
def net():
    return network()


@pytest.fixture
def images():
    return torch.randint(
        0, 256, (4, 3, 40, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


def test_unit_vectors(net, images):
    vectors = net(images)
    assert vectors.shape == (4, 8)
    assert vectors.dtype == torch.float32
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(4))


def test_bytes_and_floats_are_one(net, images):
    assert torch.equal(net(images), net(images.float()))
    assert torch.equal(net(images), net(images))


def by_imagenet(images):
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    return (images / 255 - mean) / std


def by_image(images):
    pixels = images.float()
    return torch.stack([(image - image.mean()) / (image.std() + 1) for image in pixels])


@pytest.mark.parametrize(
    ("normalisation", "normalised"), [("imagenet", by_imagenet), ("image", by_image)]
)
def test_what_is_computed(images, normalisation, normalised):
    net = network(replace(CONFIG, normalisation=normalisation))
    features = net.backbone(normalised(images)).map
    pooled = features.clamp(min=1e-6).pow(3).mean((2, 3)).pow(1 / 3)
    wanted = F.normalize(pooled @ net.projection.weight.T + net.projection.bias)
    torch.testing.assert_close(net(images), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", ["gem", "average", "max", "cls", "gem_max"])
@pytest.mark.parametrize("neck", ["none", "bnneck"])
def test_pooling_and_neck(images, pooling, neck):
    arch = "vit_b_32" if pooling == "cls" else "resnet18"
    config = DescriptorConfig(arch, 8, 32, pooling=pooling, neck=neck)
    images = images[:, :, :32]
    net = network(config)
    net.train()(images)  # gives the neck its statistics
    net.eval()
    features = net.backbone(by_imagenet(images))
    pooled = features.token if pooling == "cls" else net.pool(features.map)
    wanted = net.projection(pooled)
    if neck == "bnneck":
        deviation = (net.neck.running_var + 1e-5).sqrt()
        wanted = net.neck.weight * (wanted - net.neck.running_mean) / deviation
    found = net.embed(images)
    assert found.shape == (4, 8)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    again = restored(config, net.state_dict())
    assert torch.equal(again(images), net(images))


def test_a_class_token_of_a_network_without_one():
    with pytest.raises(ValueError, match=r"training\.pooling: resnet18 has no class token"):
        network(replace(CONFIG, pooling="cls"))


def test_the_dimension_is_the_backbones_also_of_two_poolings(images):
    net = network(DescriptorConfig("resnet18", None, 32, pooling="gem_max"))
    assert net.dimension == net(images).shape[1] == 512


class TestWithoutHead:
    LITE = DescriptorConfig("timm/tf_efficientnet_lite0", 8, 32, neck="bnneck")

    def test_the_pooled_features_are_the_descriptor(self, net, images):
        pooled = net.without_head(stage=False)
        torch.testing.assert_close(pooled(images), F.normalize(net.pool(net.features(images))))
        assert pooled.dimension == 512
        assert pooled.signature() != net.signature()
        again = restored(pooled.config, pooled.state_dict())
        assert torch.equal(again(images), pooled(images))

    def test_the_last_stage_is_pooled_next_to_them(self, images):
        net = network(self.LITE)
        both = net.without_head(stage=True)
        found, pooled = both.embed(images), net.without_head(stage=False).embed(images)
        assert found.shape == (4, both.dimension) == (4, 1280 + 320)
        torch.testing.assert_close(found[:, :1280], pooled)
        maps = []
        with net.backbone.net.blocks.register_forward_hook(lambda *call: maps.append(call[2])):
            net(images)
        torch.testing.assert_close(found[:, 1280:], net.pool(maps[0]))
        again = restored(both.config, both.state_dict())
        assert torch.equal(again(images), both(images))

    def test_it_keeps_what_is_known_of_the_network(self, net):
        net.provenance = {"data": "ab"}
        pooled = net.without_head(stage=False)
        assert pooled.provenance == net.provenance
        assert not pooled.training
        assert net.train().without_head(stage=False).training

    @pytest.mark.parametrize(
        "config",
        [
            CONFIG,
            replace(CONFIG, arch="timm/mobilenetv3_small_050"),
            replace(CONFIG, arch="vit_b_32"),
        ],
    )
    def test_a_network_whose_last_stage_is_the_last_map(self, config):
        with pytest.raises(
            ValueError, match=r"encoding\.features: .* no convolution after its last"
        ):
            network(config).without_head(stage=True)


def test_an_images_own_normalisation_forgives_darkness(images):
    net = network(replace(CONFIG, normalisation="image"))
    dark = net(0.3 * images.float() + 5)
    assert ((net(images) * dark).sum(dim=1) > 0.999).all()
    assert torch.isfinite(net(torch.zeros(2, 3, 32, 32))).all()
    assert net.signature() != network().signature()


def test_the_dimension_is_the_backbones_by_default(images):
    net = DescriptorNet(DescriptorConfig("resnet18", None, 32)).eval()
    assert net.dimension == net(images).shape[1] == 512


def test_each_image_by_itself(net, images):
    alone = torch.cat([net(image[None]) for image in images])
    torch.testing.assert_close(net(images), alone, rtol=1e-4, atol=1e-5)


def test_fingerprint_and_signature(net):
    before = net.signature()
    config = {name: value for name, value in asdict(CONFIG).items() if name != "stage"}
    assert before == config | {"weights": net.fingerprint()}
    assert len(net.fingerprint()) == 16
    again = restored(CONFIG, net.state_dict())
    assert again.signature() == before
    for weight in (net.projection.bias, net.pool.p, net.backbone[1].running_mean):
        old = net.fingerprint()
        weight.view(-1)[0] += 1e-3
        assert net.fingerprint() != old
    assert again.signature() == before


def test_network_of_a_checkpoint(net, images):
    about = {"provenance": {"data": "ab"}, "report": {"epoch": 3}}
    checkpoint = {"config": asdict(CONFIG), "model": net.train().state_dict()} | about
    again = network_of(checkpoint)
    assert again.provenance == {"data": "ab", "report": {"epoch": 3}}
    assert not again.training
    assert again.config == CONFIG
    assert torch.equal(again(images), net.eval()(images))


def test_devices():
    assert pick_device("cpu").type == "cpu"
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["tpu", "cuda:99", ""])
def test_no_such_device(name):
    with pytest.raises(ValueError, match=f"device '{name}' is not available: ") as error:
        pick_device(name)
    assert "\n" not in str(error.value)
