import pytest
import timm
import torch

from car_retrieval.models.backbone import build_backbone
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet

IMAGES = torch.rand(2, 3, 56, 56, generator=torch.Generator().manual_seed(0))
DINO = ["vit_small_patch16_224.dino", "vit_small_patch14_dinov2", "vit_small_patch16_dinov3"]


def test_no_such_network():
    with pytest.raises(ValueError, match="timm has no network 'no_such'"):
        build_backbone("timm/no_such", None, 64)


@pytest.mark.parametrize(
    ("name", "shape", "token"),
    [
        ("mobilenetv3_small_050", (2, 288, 2, 2), False),
        ("swin_tiny_patch4_window7_224", (2, 768, 2, 2), False),
        ("vit_small_patch14_dinov2", (2, 384, 4, 4), True),
        ("vit_small_patch14_reg4_dinov2", (2, 384, 4, 4), True),
        ("vit_base_patch16_siglip_224", (2, 768, 4, 4), False),
    ],
)
def test_shape(name, shape, token):
    size = 64 if "16" in name else 56
    with torch.device("meta"):
        net, example = build_backbone(f"timm/{name}", None, size)
        features = net(torch.zeros(2, 3, size, size))
        wide = net(torch.zeros(1, 3, size, 3 * size))
    assert features.map.shape == shape
    assert example.map.shape == (1, *shape[1:])
    assert (features.token is None) == (not token)
    assert wide.map.shape[3] in (3 * shape[3], 3 * shape[3] - 1)  # of convolutions with padding


@pytest.mark.parametrize("pooling", ["gem", "average", "cls"])
@pytest.mark.parametrize("name", DINO)
def test_gradients_reach_all_of_a_dino(name, pooling):
    torch.manual_seed(0)
    size = 56 if "14" in name else 64
    images = 255 * torch.rand(2, 3, size, size)
    config = DescriptorConfig(f"timm/{name}", 16, size, pooling=pooling)
    net = DescriptorNet(config)
    described = net(images)
    assert described.shape == (2, 16)
    described[:, 0].sum().backward()
    for layer, weight in net.backbone.named_parameters():
        if "mask_token" not in layer and "head" not in layer:
            assert weight.grad is not None, layer
            assert torch.isfinite(weight.grad).all(), layer
            assert weight.grad.any(), layer


def test_tokens_lie_where_their_patches_do():
    """With nothing but the first layer, a token says what its patch shows."""
    net, _ = build_backbone("timm/vit_small_patch16_224.dino", None, 64)
    net.net.blocks = torch.nn.Identity()
    net.net.pos_embed.data.zero_()
    images = torch.zeros(1, 3, 64, 96)
    images[:, :, 16:32, 80:96] = 1
    with torch.inference_mode():
        features = net.eval()(images).map
    odd = (features != features[:, :, :1, :1]).any(1)[0]
    assert odd.nonzero().tolist() == [[1, 5]]


def test_an_odd_size_is_refused():
    with pytest.raises(ValueError, match="patches of 14 px: choose image_size"):
        build_backbone("timm/vit_small_patch14_dinov2", None, 64)
    with pytest.raises(
        ValueError, match=r"timm/cait_xxs24_224 does not support .*image_size = 112"
    ):
        build_backbone("timm/cait_xxs24_224", None, 112)


class TestWeights:
    def test_of_a_file(self, tmp_path):
        state = timm.create_model("resnet18", num_classes=7).state_dict()
        torch.save(state, tmp_path / "weights.pth")
        net, _ = build_backbone("timm/resnet18", str(tmp_path / "weights.pth"), 64)
        assert torch.equal(net.net.conv1.weight, state["conv1.weight"])
        with pytest.raises(ValueError, match="does not contain weights of timm/resnet34"):
            build_backbone("timm/resnet34", str(tmp_path / "weights.pth"), 64)

    def test_of_a_transformer_for_images_of_another_size(self, tmp_path):
        torch.manual_seed(0)
        whole = timm.create_model("vit_tiny_patch16_224", num_classes=5).eval()
        torch.save(whole.state_dict(), tmp_path / "weights.pth")
        net, _ = build_backbone("timm/vit_tiny_patch16_224", str(tmp_path / "weights.pth"), 64)
        images = torch.rand(1, 3, 64, 64)
        whole.set_input_size(img_size=(64, 64))
        with torch.inference_mode():
            wanted = whole.forward_features(images)[:, 1:].transpose(1, 2).reshape(1, 192, 4, 4)
            torch.testing.assert_close(net.eval()(images).map, wanted)

    @pytest.fixture
    def cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf"))
        before = torch.hub.get_dir()
        torch.hub.set_dir(str(tmp_path))
        yield tmp_path / "checkpoints"
        torch.hub.set_dir(before)

    def test_offline(self, cache, monkeypatch):
        def fail(*args, **kwargs):
            raise OSError("no route")

        monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", fail)
        with pytest.raises(FileNotFoundError) as found:
            build_backbone("timm/resnet18", "imagenet", 64)
        message = str(found.value)
        assert "no route" in message
        assert "Put https://huggingface.co/timm/resnet18.a1_in1k/resolve/main/model.saf" in message
        assert f"at {cache / 'resnet18.safetensors'}, or" in message

    def test_where_the_error_says(self, cache):
        from safetensors.torch import save_file

        state = timm.create_model("resnet18").state_dict()
        cache.mkdir()
        save_file(state, cache / "resnet18.safetensors")
        net, _ = build_backbone("timm/resnet18", "imagenet", 64)
        assert torch.equal(net.net.conv1.weight, state["conv1.weight"])
