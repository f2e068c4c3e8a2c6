import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from car_retrieval.models.losses import TupleSoftmax, build_loss, build_miner

LABELS = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])


@pytest.fixture
def descriptors():
    generator = torch.Generator().manual_seed(0)
    return F.normalize(torch.randn(8, 6, generator=generator)).requires_grad_()


class TestTupleSoftmax:
    @pytest.mark.parametrize("temperature", [1.0, 0.1])
    @pytest.mark.parametrize("negatives", [2, 6])
    def test_naive_loop(self, descriptors, negatives, temperature):
        losses = []
        vectors = descriptors.detach().numpy().astype(float)
        for start in range(0, 8, 2 + negatives):
            anchor, positive, *others = vectors[start : start + 2 + negatives]
            wanted = math.exp(anchor @ positive / temperature)
            rest = sum(math.exp(anchor @ other / temperature) for other in others)
            losses.append(-math.log(wanted / (wanted + rest)))
        found = TupleSoftmax(negatives, temperature)(descriptors, LABELS)
        assert found.item() == pytest.approx(np.mean(losses), rel=1e-5)

    def test_the_reference_systems_bound(self):
        best = torch.tensor([[1.0, 0], [1, 0], [-1, 0], [-1, 0], [-1, 0], [-1, 0]])
        bound = math.log(1 + 4 * math.exp(-2))
        assert bound == pytest.approx(0.433, abs=5e-4)
        assert TupleSoftmax()(best, LABELS).item() == pytest.approx(bound, rel=1e-6)
        worst = best * torch.tensor([[1.0], [-1], [-1], [-1], [-1], [-1]])
        assert TupleSoftmax()(worst, LABELS).item() == pytest.approx(
            math.log(1 + 4 * math.exp(2)), rel=1e-6
        )

    def test_all_alike(self):
        alike = torch.ones(12, 1)
        assert TupleSoftmax()(alike, LABELS).item() == pytest.approx(math.log(5), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("CosFaceLoss", {"margin": 0.2, "scale": 16}),
        ("ArcFaceLoss", {}),
        ("MultiSimilarityLoss", {"alpha": 2, "beta": 50}),
        ("TripletMarginLoss", {}),
        ("ProxyAnchorLoss", {}),
        ("NTXentLoss", {"temperature": 0.1}),
        ("TupleSoftmax", {"negatives": 2}),
    ],
)
def test_losses_of_the_library(descriptors, name, args):
    loss = build_loss(name, args, classes=4, dimension=6)
    value = loss(descriptors, LABELS, None)
    assert value.ndim == 0
    assert torch.isfinite(value)
    value.backward()
    assert descriptors.grad.abs().sum() > 0
    sizes = [weight.shape for weight in loss.parameters()]
    learnt = name in ("CosFaceLoss", "ArcFaceLoss", "ProxyAnchorLoss")
    assert len(sizes) == learnt
    assert all(sorted(size) == [4, 6] for size in sizes)


def test_a_miner_meets_a_loss(descriptors):
    mined = build_miner("MultiSimilarityMiner", {"epsilon": 0.2})(descriptors, LABELS)
    value = build_loss("MultiSimilarityLoss", {}, 4, 6)(descriptors, LABELS, mined)
    assert torch.isfinite(value)


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        (
            "CosFace",
            {},
            r"training\.loss\.name: there is no 'CosFace'; choose .*ArcFaceLoss.*Tuple",
        ),
        ("angular_loss", {}, r"there is no 'angular_loss'"),
        ("CosFaceLoss", {"margn": 0.2}, r"training\.loss: CosFaceLoss: .*margn"),
        ("TupleSoftmax", {"scale": 16}, r"training\.loss: TupleSoftmax: .*scale"),
        ("CrossBatchMemory", {}, r"training\.loss: CrossBatchMemory: "),
    ],
)
def test_a_wrong_loss_is_one_line(name, args, message):
    with pytest.raises(ValueError, match=message) as error:
        build_loss(name, args, 4, 6)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["TupleSoftmax", "CosFaceLoss"])
def test_a_wrong_miner(name):
    with pytest.raises(ValueError, match=rf"training\.miner\.name: there is no '{name}'"):
        build_miner(name, {})
