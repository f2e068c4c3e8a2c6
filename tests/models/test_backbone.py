from urllib.error import URLError

import pytest
import torch
import torchvision

from car_retrieval.models.backbone import build_backbone

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
    net, channels = build_backbone("resnet18", None)
    assert channels == 512
    assert net(IMAGES).shape == (2, 512, 2, 3)


@pytest.mark.parametrize("classifier", ["own", "other", "none"])
def test_weights_of_a_file(tmp_path, resnet, classifier):
    state = dict(resnet.state_dict())
    if classifier == "none":
        del state["fc.weight"], state["fc.bias"]
    elif classifier == "other":
        state |= {"fc.weight": torch.zeros(7, 512), "fc.bias": torch.zeros(7)}
    file = tmp_path / "weights.pth"
    torch.save(state, file)
    net, _ = build_backbone("resnet18", str(file))
    with torch.inference_mode():
        torch.testing.assert_close(net.eval()(IMAGES), features(resnet, IMAGES))


def test_home(tmp_path, resnet, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    torch.save(resnet.state_dict(), tmp_path / "weights.pth")
    build_backbone("resnet18", "~/weights.pth")


@pytest.mark.parametrize("kind", ["resnet34", "resnet50", "empty", "list", "text"])
def test_a_file_of_something_else(tmp_path, kind):
    file = tmp_path / "weights.pth"
    if kind == "text":
        file.write_text("hello")
    elif kind.startswith("resnet"):
        torch.save(torchvision.models.get_model(kind, weights=None).state_dict(), file)
    else:
        torch.save({"empty": {}, "list": [1]}[kind], file)
    with pytest.raises(ValueError, match=rf"{file} does not hold the weights of resnet18$"):
        build_backbone("resnet18", str(file))


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=rf"{tmp_path / 'none.pth'} does not exist"):
        build_backbone("resnet18", str(tmp_path / "none.pth"))


class TestImagenet:
    NAME = "resnet18-f37072fd.pth"

    @pytest.fixture
    def cache(self, tmp_path):
        before = torch.hub.get_dir()
        torch.hub.set_dir(str(tmp_path))
        yield tmp_path / "checkpoints"
        torch.hub.set_dir(before)

    @pytest.mark.parametrize("error", [URLError("no route"), ConnectionResetError("reset")])
    def test_offline(self, cache, monkeypatch, error):
        def fail(url, file):
            raise error

        monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
        with pytest.raises(FileNotFoundError) as found:
            build_backbone("resnet18", "imagenet")
        message = str(found.value)
        assert f"Put https://download.pytorch.org/models/{self.NAME} at" in message
        assert str(cache / self.NAME) in message
        assert "no route" in message or "reset" in message

    def test_from_the_cache(self, cache, resnet, monkeypatch):
        monkeypatch.setattr(torch.hub, "download_url_to_file", None)
        cache.mkdir()
        torch.save(resnet.state_dict(), cache / self.NAME)
        net, _ = build_backbone("resnet18", "imagenet")
        assert torch.equal(net[0].weight, resnet.conv1.weight)

    def test_downloaded(self, cache, resnet, monkeypatch):
        asked = []

        def download(url, file):
            asked.append(url)
            torch.save(resnet.state_dict(), file)

        monkeypatch.setattr(torch.hub, "download_url_to_file", download)
        for _ in range(2):
            build_backbone("resnet18", "imagenet")
        assert asked == [f"https://download.pytorch.org/models/{self.NAME}"]
