import pytest
import torch
from tests.parameters import augmentation_params

from car_retrieval.training.augmentation import Augmentation

CPU = torch.device("cpu")
NONE = {
    "crop": 0,
    "rotation": 0,
    "flip": 0,
    "brightness": (1, 1),
    "contrast": 0,
    "saturation": 0,
    "hue": 0,
    "grey": 0,
    "blur": 0,
    "noise": 0,
    "erase": 0,
}


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (16, 3, 24, 32), dtype=torch.uint8, generator=generator)


def changed(images, seed=0, **changes):
    return Augmentation(augmentation_params(**(NONE | changes)), seed, CPU)(images)


def test_shape_and_range(images):
    result = Augmentation(augmentation_params(brightness=(0.1, 9), noise=2), 0, CPU)(images)
    assert result.shape == images.shape
    assert result.dtype == torch.float32
    assert 0 <= result.min() < result.max() <= 255


def test_zero_is_off(images):
    for seed in range(3):
        torch.testing.assert_close(changed(images, seed), images.float(), rtol=0, atol=0.05)


@pytest.mark.parametrize("name", [name for name in NONE if name != "brightness"])
def test_each_change_changes(images, name):
    strength = {"rotation": 20, "hue": 0.5}.get(name, 0.9)
    assert not torch.allclose(changed(images, **{name: strength}), images.float(), atol=1)


def test_the_seed_decides(images):
    params = augmentation_params()
    first, again, other = (Augmentation(params, seed, CPU)(images) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_stream_goes_on(images):
    augment = Augmentation(augmentation_params(), 1, CPU)
    assert not torch.equal(augment(images), augment(images))


def test_the_global_stream_is_left_alone(images):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    changed(images, crop=0.5, erase=1, noise=0.1)
    assert torch.equal(torch.get_rng_state(), before)


def test_each_image_by_its_own_draw(images):
    same = images[:1].repeat(8, 1, 1, 1)
    result = Augmentation(augmentation_params(), 1, CPU)(same)
    assert len({tuple(image.flatten().tolist()) for image in result}) == 8


def test_flip(images):
    flipped = changed(images, flip=1)
    torch.testing.assert_close(flipped, images.flip(3).float(), rtol=0, atol=0.05)


def test_grey(images):
    grey = changed(images, grey=1)
    luma = (images.float() * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1)
    for channel in range(3):
        torch.testing.assert_close(grey[:, channel], luma, rtol=0, atol=0.5)


def test_brightness(images):
    torch.testing.assert_close(
        changed(images, brightness=(0.5, 0.5)), images / 2, rtol=0, atol=0.05
    )


def test_hue_keeps_the_luma():
    images = torch.full((8, 3, 4, 4), 100.0)
    images[:, 0] = 120
    result = changed(images, hue=0.5)
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    torch.testing.assert_close(
        (result * weights).sum(1), (images * weights).sum(1), rtol=0, atol=0.2
    )
    assert (result - images).abs().max() > 5


def test_saturation_scales_what_is_left_without_the_luma():
    generator = torch.Generator().manual_seed(0)
    images = 100 + 50 * torch.rand(64, 3, 4, 4, generator=generator)
    result = changed(images, saturation=0.5)
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    luma = (images * weights).sum(1, keepdim=True)
    factors = ((result - luma) * (images - luma)).sum((1, 2, 3)) / (images - luma).square().sum(
        (1, 2, 3)
    )
    scaled = luma + factors.view(-1, 1, 1, 1) * (images - luma)
    torch.testing.assert_close(result, scaled, rtol=0, atol=0.1)
    assert 0.49 < factors.min() < 0.6
    assert 1.4 < factors.max() < 1.51


def test_blur_smooths_and_keeps_the_mean(images):
    blurred = changed(images, blur=1)
    assert blurred.var() < 0.9 * images.float().var()
    assert blurred.mean() == pytest.approx(images.float().mean(), abs=2)
    flat = torch.full((4, 3, 8, 8), 77.0)
    torch.testing.assert_close(changed(flat, blur=1), flat, rtol=0, atol=0.05)


def test_erase_paints_one_rectangle_in_one_colour(images):
    result = changed(images, erase=1)
    for image, before in zip(result, images.float(), strict=True):
        rows, columns = torch.nonzero(((image - before).abs() > 0.1).any(0), as_tuple=True)
        box = image[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert box.flatten(1).std(1).max() < 0.1
        assert 0.05 <= (rows.max() - rows.min() + 1) / 24 <= 0.45
        assert 0.05 <= (columns.max() - columns.min() + 1) / 32 <= 0.45


def test_noise_has_at_most_the_deviation_asked_for():
    flat = torch.full((64, 3, 16, 16), 127.0)
    deviations = changed(flat, noise=0.1).flatten(1).std(1) / 255
    assert 0.08 < deviations.max() < 0.11
    assert deviations.min() < 0.02
