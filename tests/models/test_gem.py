import numpy as np
import pytest
import torch

from car_retrieval.models.gem import GeM


@pytest.fixture
def features():
    return torch.rand(3, 5, 4, 2, generator=torch.Generator().manual_seed(0)) - 0.2


def naive(features, p, eps=1e-6):
    """Every mean by itself, in float64."""
    batch, channels = features.shape[:2]
    pooled = np.empty((batch, channels))
    for i in range(batch):
        for c in range(channels):
            values = [max(float(x), eps) ** p for x in features[i, c].flatten()]
            pooled[i, c] = (sum(values) / len(values)) ** (1 / p)
    return pooled


@pytest.mark.parametrize("p", [1.0, 2.5, 3.0, 7.0])
def test_formula(features, p):
    np.testing.assert_allclose(GeM(p)(features).detach(), naive(features, p), rtol=1e-4)


def test_p_of_one_is_the_average(features):
    positive = features.abs() + 0.1
    torch.testing.assert_close(GeM(1.0)(positive), positive.mean((2, 3)))


def test_a_large_p_is_the_maximum(features):
    positive = features.abs() + 0.5
    torch.testing.assert_close(GeM(60.0)(positive), positive.amax((2, 3)), rtol=0.05, atol=0)


def test_p_below_one_counts_as_one(features):
    assert torch.equal(GeM(0.2)(features), GeM(1.0)(features))


def test_gradients(features):
    pool = GeM().double()
    wanted = (features.abs() + 0.1).double().requires_grad_()
    assert torch.autograd.gradcheck(pool, (wanted,))
    pool(wanted).sum().backward()
    assert pool.p.grad is not None
    step = 1e-5
    wanted = wanted.detach()
    numeric = (naive(wanted, 3 + step).sum() - naive(wanted, 3 - step).sum()) / (2 * step)
    assert pool.p.grad.item() == pytest.approx(numeric, rel=1e-4)


def test_the_gradient_is_finite_where_all_is_zero():
    features = torch.zeros(1, 2, 3, 3, requires_grad=True)
    GeM()(features).sum().backward()
    assert torch.isfinite(features.grad).all()
