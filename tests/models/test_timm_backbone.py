import pytest
import torch

from car_retrieval.models.backbone import build_backbone
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet

IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(ValueError, match=r"pip install -e '\.\[timm\]'"):
        build_backbone("timm/resnet18", None)


def test_descriptor_of_a_timm_network():
    pytest.importorskip("timm")
    net = DescriptorNet(DescriptorConfig("timm/mobilenetv3_small_050", 16, 64))
    described = net(IMAGES)
    assert described.shape == (2, 16)
    described.sum().backward()
    assert all(
        p.grad is not None for name, p in net.backbone.named_parameters() if "blocks" in name
    )


def test_weights_of_a_file(tmp_path):
    timm = pytest.importorskip("timm")
    state = timm.create_model("resnet18", num_classes=7).state_dict()
    torch.save(state, tmp_path / "weights.pth")
    net, channels = build_backbone("timm/resnet18", str(tmp_path / "weights.pth"))
    assert channels == 512
    assert torch.equal(net.net.conv1.weight, state["conv1.weight"])
    with pytest.raises(ValueError, match="does not hold the weights of timm/resnet34"):
        build_backbone("timm/resnet34", str(tmp_path / "weights.pth"))


@pytest.mark.parametrize(
    ("name", "message"), [("no_such", "timm has no network"), ("vit_tiny_patch16_224", "no map")]
)
def test_what_cannot_be_pooled(name, message):
    pytest.importorskip("timm")
    with pytest.raises(ValueError, match=message):
        build_backbone(f"timm/{name}", None)[0](torch.zeros(1, 3, 224, 224))
