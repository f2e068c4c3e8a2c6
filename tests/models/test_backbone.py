import pytest
import torch
import torchvision
from safetensors.torch import save_file

from car_retrieval.models.backbone import build_backbone
from car_retrieval.params import NETWORKS

IMAGES = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def resnet():
    torch.manual_seed(0)
    return torchvision.models.resnet18(weights=None).eval()


def features(net, images):
    """What torchvision's network computes before it pools."""
    for name, layer in net.named_children():
        if name == "avgpool":
            return images
        images = layer(images)
    raise AssertionError


def test_shape():
    net, example = build_backbone("resnet18", None, 64)
    assert example.map.shape == (1, 512, 2, 2)
    assert example.token is None
    assert net.training
    assert net(IMAGES).map.shape == (2, 512, 2, 3)


def test_torchvision_has_every_network_of_the_parameters():
    assert set(NETWORKS) <= set(torchvision.models.list_models(torchvision.models))


@pytest.mark.parametrize(
    "arch",
    [
        *("resnet50", "convnext_tiny", "efficientnet_b0", "efficientnet_v2_s", "swin_t"),
        *("swin_v2_t", "vit_b_16", "vit_b_32", "vit_h_14"),
    ],
)
def test_every_kind_of_network(arch):
    """On torch's meta device, which computes shapes alone."""
    size = 56 if arch == "vit_h_14" else 64
    with torch.device("meta"):
        _, features = build_backbone(arch, None, size)
        whole = torchvision.models.get_model(arch)
    classifier = [layer for layer in whole.modules() if isinstance(layer, torch.nn.Linear)][-1]
    side = size // int(arch[-2:]) if arch.startswith("vit_") else size // 32
    assert features.map.shape == (1, classifier.in_features, side, side)
    assert (features.token is not None) == arch.startswith("vit_")


@pytest.mark.parametrize(
    ("arch", "head"),
    [
        ("convnext_tiny", lambda net, x: net.classifier(net.avgpool(x))),
        ("efficientnet_b0", lambda net, x: net.classifier(net.avgpool(x).flatten(1))),
        ("swin_t", lambda net, x: net.head(x.mean((2, 3)))),
    ],
)
def test_the_map_is_what_the_classifier_pools(tmp_path, arch, head):
    torch.manual_seed(0)
    whole = torchvision.models.get_model(arch, num_classes=3).eval()
    torch.save(whole.state_dict(), tmp_path / "weights.pth")
    net, _ = build_backbone(arch, str(tmp_path / "weights.pth"), 64)
    with torch.inference_mode():
        torch.testing.assert_close(head(whole, net.eval()(IMAGES).map), whole(IMAGES))


@pytest.mark.parametrize("arch", ["vit_b_16", "vit_b_32"])
def test_an_odd_size_is_refused(arch):
    with torch.device("meta"), pytest.raises(ValueError, match=rf"{arch} .*image_size = 100 "):
        build_backbone(arch, None, 100)


@pytest.mark.parametrize("classifier", ["own", "other", "none"])
def test_weights_of_a_file(tmp_path, resnet, classifier):
    state = dict(resnet.state_dict())
    if classifier == "none":
        del state["fc.weight"], state["fc.bias"]
    elif classifier == "other":
        state |= {"fc.weight": torch.zeros(7, 512), "fc.bias": torch.zeros(7)}
    file = tmp_path / "weights.pth"
    torch.save(state, file)
    net, _ = build_backbone("resnet18", str(file), 64)
    with torch.inference_mode():
        torch.testing.assert_close(net.eval()(IMAGES).map, features(resnet, IMAGES))


def test_weights_of_a_safetensors_file(tmp_path, resnet):
    file = tmp_path / "weights.safetensors"
    save_file(resnet.state_dict(), file)
    net, _ = build_backbone("resnet18", str(file), 64)
    assert torch.equal(net[0].weight, resnet.conv1.weight)


def test_home(tmp_path, resnet, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    torch.save(resnet.state_dict(), tmp_path / "weights.pth")
    build_backbone("resnet18", "~/weights.pth", 64)


@pytest.mark.parametrize("kind", ["resnet34", "resnet50", "empty", "list", "text"])
def test_a_file_of_something_else(tmp_path, kind):
    file = tmp_path / "weights.pth"
    if kind == "text":
        file.write_text("hello")
    elif kind.startswith("resnet"):
        torch.save(torchvision.models.get_model(kind, weights=None).state_dict(), file)
    else:
        torch.save({"empty": {}, "list": [1]}[kind], file)
    with pytest.raises(ValueError, match=rf"{file} does not contain weights of resnet18$"):
        build_backbone("resnet18", str(file), 64)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=rf"{tmp_path / 'none.pth'} does not exist"):
        build_backbone("resnet18", str(tmp_path / "none.pth"), 64)
