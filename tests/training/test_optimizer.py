import pytest
import torch
from tests.parameters import training_params
from torch import nn
from torchvision.models import get_model

from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.training.losses import build_loss
from car_retrieval.training.optimizer import (
    Optimisation,
    average_of,
    freeze,
    keep_statistics,
    learning_rate,
    parameter_groups,
    scale_in,
)

EPOCHS, STEPS = 4, 5


def rates(**changes):
    params = training_params(**({"epochs": EPOCHS, "lr": 0.1} | changes))
    return [
        learning_rate(params, epoch, step, STEPS)
        for epoch in range(EPOCHS)
        for step in range(STEPS)
    ]


def rates_of(make_scheduler, every):
    """What torch's own scheduler, asked after so many steps, makes of a rate of 0.1."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = make_scheduler(optimizer)
    found = []
    for step in range(EPOCHS * STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if (step + 1) % every == 0:
            scheduler.step()
    return found


@pytest.mark.parametrize(
    ("scale", "expected"), [(0.5, [0.5] * 4), ((0.4, 1.0), [0.4, 0.6, 0.8, 1.0])]
)
def test_scale_rises_from_the_first_epoch_to_the_last(scale, expected):
    params = training_params(epochs=EPOCHS, scale=scale)
    assert [scale_in(params, epoch) for epoch in range(EPOCHS)] == pytest.approx(expected)


def test_one_epoch_has_the_first_scale():
    assert scale_in(training_params(epochs=1, scale=(0.4, 1.0)), 0) == 0.4


class TestFreeze:
    def learning(self, count):
        with torch.device("meta"):
            net = get_model("resnet18")
        freeze(net, count)
        return {name.split(".")[0] for name, w in net.named_parameters() if w.requires_grad}

    def test_the_first_blocks_and_what_precedes_them(self):
        layers = {"layer1", "layer2", "layer3", "layer4", "fc"}
        assert self.learning(0) == {"conv1", "bn1"} | layers
        assert self.learning(1) == layers
        assert self.learning(2) == layers - {"layer1"}
        assert self.learning(8) == {"fc"}

    def test_more_blocks_than_there_are(self):
        with pytest.raises(ValueError, match=r"training\.frozen_blocks.* 8 .*9"):
            self.learning(9)


class TestLearningRate:
    def test_step(self):
        scheduler = torch.optim.lr_scheduler.ExponentialLR
        assert rates(lr_shrink=0.5) == pytest.approx(rates_of(lambda o: scheduler(o, 0.5), STEPS))

    def test_cosine(self):
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR
        expected = rates_of(lambda o: scheduler(o, EPOCHS * STEPS), 1)
        found = rates(schedule="cosine", lr_shrink=0.5)
        assert found == pytest.approx(expected)
        assert 0 < found[-1] < 0.01 * found[0]

    @pytest.mark.parametrize("schedule", ["step", "cosine"])
    def test_warm_up(self, schedule):
        warm, plain = (rates(schedule=schedule, warmup_epochs=epochs) for epochs in (1.6, 0))
        expected = [min(1, (step + 1) / 8) * rate for step, rate in enumerate(plain)]
        assert warm == pytest.approx(expected)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return DescriptorNet(DescriptorConfig("resnet18", 8, 32))


class TestGroups:
    def test_norms_biases_and_p_do_not_decay(self, net):
        loss = build_loss("ArcFaceLoss", {}, classes=4, dimension=8)
        groups = parameter_groups(net, loss, training_params(weight_decay=0.3, loss_lr=7))
        decay = {id(w): group["weight_decay"] for group in groups for w in group["params"]}
        assert sum(len(group["params"]) for group in groups) == len(decay)
        assert len(decay) == sum(1 for _ in (*net.parameters(), *loss.parameters()))
        spared = {id(net.pool.p), id(net.projection.bias)}
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                spared |= {id(module.weight), id(module.bias)}
        assert len(spared) > 40
        assert all(value == (0 if weight in spared else 0.3) for weight, value in decay.items())

    @pytest.mark.parametrize(
        ("arch", "kinds"),
        [
            ("vit_b_16", {"class_token", "encoder.pos_embedding"}),
            ("swin_v2_t", {"logit_scale"}),
            ("convnext_tiny", {"layer_scale"}),
        ],
    )
    def test_what_transformers_add_and_scale_does_not_decay(self, arch, kinds):
        with torch.device("meta"):
            net = get_model(arch)
        groups = parameter_groups(net, nn.Identity(), training_params(weight_decay=0.3))
        decaying = {id(w) for group in groups if group["weight_decay"] for w in group["params"]}
        layers = (nn.Linear, nn.Conv2d)
        kernels = {id(m.weight) for m in net.modules() if isinstance(m, layers)}
        kernels |= {
            id(m.in_proj_weight) for m in net.modules() if isinstance(m, nn.MultiheadAttention)
        }
        assert decaying == kernels
        spared = {name for name, w in net.named_parameters() if id(w) not in decaying}
        assert all(any(name.endswith(kind) for name in spared) for kind in kinds)

    def test_backbone_head_and_loss_have_rates_of_their_own(self, net):
        loss = build_loss("ArcFaceLoss", {}, classes=4, dimension=8)
        params = training_params(weight_decay=0, backbone_lr=0.5, loss_lr=7)
        optimisation = Optimisation(net, loss, params)
        weights = (net.backbone[0].weight, net.projection.weight, loss.W)
        before = [weight.detach().clone() for weight in weights]
        for weight in weights:
            weight.grad = torch.ones_like(weight)
        optimisation.step(0.01)  # Adam's first step is the rate itself
        for weight, old, rate in zip(weights, before, (0.005, 0.01, 0.07), strict=True):
            moved = old - weight.detach()
            torch.testing.assert_close(moved, torch.full_like(moved, rate), rtol=1e-3, atol=1e-8)
        assert loss.W.grad is None

    def test_a_backbone_without_a_rate_stays(self, net):
        loss = build_loss("CrossEntropy", {}, classes=4, dimension=8)
        optimisation = Optimisation(net, loss, training_params(weight_decay=0.1, backbone_lr=0))
        before = net.backbone[0].weight.detach().clone()
        net.backbone[0].weight.grad = torch.ones_like(before)
        optimisation.step(0.01)
        assert torch.equal(net.backbone[0].weight, before)


def test_an_average_of_equal_weights_is_these_weights(net):
    average = average_of(net, 0.99)
    for _ in range(3):
        average.update_parameters(net)
    for name, value in average.module.state_dict().items():
        assert torch.equal(value, net.state_dict()[name]), name


def test_statistics_are_kept_and_the_rest_still_trains():
    net = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(), nn.Sequential(nn.BatchNorm1d(3)))
    net.train()
    keep_statistics(net)
    assert [module.training for module in net] == [False, True, True]
    assert not net[2][0].training
    assert net[0].weight.requires_grad
