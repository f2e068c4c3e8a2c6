import pytest
import torch
from torchvision.models import VisionTransformer

from car_retrieval.models.vision_transformer import TokenMap, fitted, stretched


@pytest.fixture(scope="module")
def whole():
    """As torchvision's, but tiny."""
    torch.manual_seed(0)
    return VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=5).eval()


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@torch.inference_mode()
def test_the_token_is_what_torchvision_classifies_by(whole, images):
    features = TokenMap(whole)(images)
    torch.testing.assert_close(whole.heads(features.token), whole(images))
    assert features.map.shape == (2, 16, 4, 4)


@torch.inference_mode()
def test_the_map_holds_the_patches_row_by_row(whole, images):
    tokens = torch.cat([whole.class_token.expand(2, -1, -1), whole._process_input(images)], dim=1)
    wanted = whole.encoder(tokens)[:, 1:]
    found = TokenMap(whole)(images).map
    for row in range(4):
        for column in range(4):
            torch.testing.assert_close(found[:, :, row, column], wanted[:, 4 * row + column])


@torch.inference_mode()
def test_images_of_another_size(whole):
    features = TokenMap(whole)(torch.rand(1, 3, 40, 56))
    assert features.map.shape == (1, 16, 5, 7)
    assert torch.isfinite(features.map).all()


@pytest.mark.parametrize("shape", [(36, 32), (32, 4)])
def test_images_that_patches_do_not_divide(whole, shape):
    with pytest.raises(
        ValueError, match=f"images of {shape[0]} x {shape[1]} px .* patches of 8 px"
    ):
        TokenMap(whole)(torch.zeros(1, 3, *shape))


class TestPositions:
    def test_the_same_grid_keeps_them(self):
        positions = torch.rand(1, 1 + 9, 4)
        assert stretched(positions, 3, 3) is positions

    def test_a_slope_stays_a_slope(self):
        """Down and across, at half the distance between two patches."""
        down, across = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
        grid = torch.stack([down, across]).flatten(1).T
        positions = torch.cat([torch.tensor([[9.0, 7.0]]), grid])[None]
        found = stretched(positions, 16, 16)
        assert found[0, 0].tolist() == [9, 7]
        inner = found[0, 1:].T.unflatten(1, (16, 16))[:, 4:-4, 4:-4]
        torch.testing.assert_close(inner[0].diff(dim=0), torch.full((7, 8), 0.5))
        torch.testing.assert_close(inner[1].diff(dim=1), torch.full((8, 7), 0.5))
        assert inner[0].diff(dim=1).abs().max() < 1e-5

    def test_weights_for_images_of_another_size(self, whole):
        larger = VisionTransformer(64, 8, 2, 2, 16, 32, num_classes=5)
        larger.load_state_dict(fitted(larger, whole.state_dict()))
        wanted = stretched(whole.encoder.pos_embedding, 8, 8)
        assert torch.equal(larger.encoder.pos_embedding, wanted)
        assert torch.equal(larger.conv_proj.weight, whole.conv_proj.weight)
