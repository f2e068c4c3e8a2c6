import math

import numpy as np
import pytest
import pytorch_metric_learning.distances
import torch
import torch.nn.functional as F  # noqa: N812

from car_retrieval.training.losses import TupleSoftmax, build_loss, build_miner, with_memory

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

    def test_lengths_do_not_count(self, descriptors):
        lengths = torch.arange(1, 9)[:, None]
        loss = TupleSoftmax(negatives=2, temperature=0.1)
        assert loss(lengths * descriptors, LABELS).item() == pytest.approx(
            loss(descriptors, LABELS).item(), rel=1e-5
        )

    def test_all_alike(self):
        alike = torch.ones(12, 1)
        assert TupleSoftmax()(alike, LABELS).item() == pytest.approx(math.log(5), rel=1e-6)


class TestCrossEntropy:
    @pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
    def test_naive_loop(self, descriptors, smoothing):
        loss = build_loss("CrossEntropy", {"label_smoothing": smoothing}, classes=4, dimension=6)
        weights = loss.classifier.weight.detach().numpy().astype(float)
        losses = []
        for vector, label in zip(descriptors.detach().numpy().astype(float), LABELS, strict=True):
            logits = [vector @ weight for weight in weights]
            total = sum(math.exp(logit) for logit in logits)
            target = [smoothing / 4 + (1 - smoothing) * (c == label) for c in range(4)]
            terms = (t * math.log(math.exp(s) / total) for t, s in zip(target, logits, strict=True))
            losses.append(-sum(terms))
        assert loss(descriptors, LABELS).item() == pytest.approx(np.mean(losses), rel=1e-5)

    def test_lengths_count(self, descriptors):
        loss = build_loss("CrossEntropy", {}, classes=4, dimension=6)
        assert loss(descriptors, LABELS).item() != pytest.approx(
            loss(3 * descriptors, LABELS).item()
        )


class TestMemory:
    def contrastive(self, batch, labels, others, their_labels):
        """Mean 1 − cosine over positive pairs, and mean cosine above 0 over negative ones."""
        sums = {True: [], False: []}
        for i, (a, own) in enumerate(zip(batch, labels, strict=True)):
            for j, (b, other) in enumerate(zip(others, their_labels, strict=True)):
                if i == j:
                    continue  # the batch comes first among the others
                cosine = float(a @ b)
                cost = 1 - cosine if own == other else max(0.0, cosine)
                sums[own == other].append(cost)
        return sum(np.mean([c for c in costs if c > 0] or [0.0]) for costs in sums.values())

    def test_a_batch_meets_the_batches_before(self):
        loss = build_loss("ContrastiveLoss", {"pos_margin": 1, "neg_margin": 0}, 4, 6)
        loss.distance = pytorch_metric_learning.distances.CosineSimilarity()
        memory = with_memory(loss, 16, 6, None)
        generator = torch.Generator().manual_seed(1)
        batches = [F.normalize(torch.randn(8, 6, generator=generator)) for _ in range(4)]
        for number, batch in enumerate(batches):
            # The queue holds two batches: this one and, from the second on, the one before.
            seen = [batch, *([batches[number - 1]] if number else [])]
            expected = self.contrastive(
                batch, LABELS.tolist(), torch.cat(seen), LABELS.tolist() * len(seen)
            )
            assert memory(batch, LABELS).item() == pytest.approx(expected, rel=1e-4)

    @pytest.mark.parametrize("batches", [1, 2, 3, 5])
    def test_its_state_is_the_whole_queue(self, descriptors, batches):
        def make():
            return with_memory(build_loss("NTXentLoss", {}, 4, 6), 20, 6, None)

        first, second = make(), make()
        for number in range(batches):
            first(descriptors.roll(number, 0), LABELS.roll(number))
        second.load_state_dict(first.state_dict())
        for _ in range(3):
            values = [memory(descriptors, LABELS).item() for memory in (first, second)]
            assert values[0] == values[1]

    def test_the_miner_picks_from_the_memory(self, descriptors):
        seen = []
        miner = build_miner("MultiSimilarityMiner", {})
        miner.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[2])))
        memory = with_memory(build_loss("MultiSimilarityLoss", {}, 4, 6), 16, 6, miner)
        for _ in range(3):
            memory(descriptors, LABELS)
        assert seen == [8, 16, 16]

    @pytest.mark.parametrize(
        "name", ["CosFaceLoss", "ProxyAnchorLoss", "TupleSoftmax", "CrossEntropy"]
    )
    def test_losses_without_pairs_have_none(self, name):
        with pytest.raises(ValueError, match=rf"training\.memory: {name} .* NTXentLoss"):
            with_memory(build_loss(name, {}, 4, 6), 16, 6, None)


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
        ("CosFace", {}, r"training\.loss\.name: unknown 'CosFace'; choose .*ArcFaceLoss.*Tuple"),
        ("angular_loss", {}, "unknown 'angular_loss'"),
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
    with pytest.raises(ValueError, match=rf"training\.miner\.name: unknown '{name}'"):
        build_miner(name, {})
