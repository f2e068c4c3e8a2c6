import numpy as np
import pytest
import torch

from car_retrieval.models.gem import GeM
from car_retrieval.models.neck import BNNeck
from car_retrieval.models.pooling import POOLINGS

FEATURES = torch.rand(3, 5, 4, 2, generator=torch.Generator().manual_seed(0)) - 0.2


@pytest.mark.parametrize(
    ("name", "naive"),
    [
        ("average", lambda values: [sum(values) / len(values)]),
        ("max", lambda values: [max(values)]),
        ("gem", lambda values: [(sum(max(x, 1e-6) ** 3 for x in values) / len(values)) ** (1 / 3)]),
    ],
)
def test_formula(name, naive):
    wanted = [[naive(c.flatten().tolist())[0] for c in image] for image in FEATURES]
    found = POOLINGS[name]()(FEATURES).detach()
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_gem_and_maximum_side_by_side():
    pool = POOLINGS["gem_max"]()
    found = pool(FEATURES)
    assert found.shape == (3, 10)
    assert torch.equal(found[:, :5], GeM()(FEATURES))
    assert torch.equal(found[:, 5:], FEATURES.amax((2, 3)))
    assert [name for name, _ in pool.named_parameters()] == ["gem.p"]


@pytest.mark.parametrize("name", POOLINGS)
def test_a_map_of_one_position(name):
    """Every mean of one value is the value."""
    features = torch.rand(2, 3, 1, 1) + 0.1
    found = POOLINGS[name]()(features)
    for part in found.split(3, dim=1):
        torch.testing.assert_close(part, features[:, :, 0, 0])


def test_neck():
    neck = BNNeck(4)
    vectors = 3 * torch.randn(16, 4) + 5
    neck(vectors).square().sum().backward()
    assert neck.bias.grad is None
    assert neck.weight.grad is not None
    with torch.no_grad():
        out = neck(vectors)
    torch.testing.assert_close(out.mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std(0, correction=0), torch.ones(4), atol=1e-3, rtol=0)
