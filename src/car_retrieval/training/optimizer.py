"""Optimizer, learning-rate schedule and weight EMA."""

import math
from copy import deepcopy
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorNet
from car_retrieval.params import TrainingParams
from car_retrieval.training.activation_checkpointing import blocks_of


class Optimisation:
    """AdamW for a network and its loss, with an EMA of the network's weights.

    Args:
        net: network.
        loss: loss, which may have weights.
        params: training parameters.
    """

    def __init__(self, net: DescriptorNet, loss: nn.Module, params: TrainingParams) -> None:
        self.net, self.params = net, params
        self.average = average_of(net, params.ema) if params.ema else None
        self.optimizer = torch.optim.AdamW(
            parameter_groups(net, loss, params), lr=params.lr, fused=True
        )

    @property
    def kept(self) -> DescriptorNet:
        """Network to validate and save: the EMA, if any."""
        return cast(DescriptorNet, self.average.module) if self.average else self.net

    def step(self, rate: float) -> None:
        """Apply the gradients at a learning rate, and clear them."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average:
            self.average.update_parameters(self.net)

    def state(self) -> dict[str, Any]:
        """Return a copy of the state to resume from."""
        state: dict[str, Any] = {"optimizer": deepcopy(self.optimizer.state_dict())}
        if self.average:
            state["trained"] = deepcopy(self.net.state_dict())
            state["averaged"] = int(self.average.n_averaged)
        return state

    def restore(self, checkpoint: Checkpoint) -> None:
        """Resume from a checkpoint with or without an EMA, as configured here.

        Raises:
            ValueError: the optimizer's state has other weights.
        """
        if self.average:
            self.average.module.load_state_dict(checkpoint["model"])
            self.average.n_averaged.fill_(checkpoint["averaged"])
        self.net.load_state_dict(checkpoint["trained" if self.average else "model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])


def parameter_groups(net: nn.Module, loss: nn.Module, params: TrainingParams) -> list[dict]:
    """Group the weights of a network and its loss for an optimizer, by rate and decay.

    Weight decay applies to matrices and kernels of layers, and proxies of the loss. It does not
    apply to parameters of one dimension (norms, biases, GeM's p), or to parameters of transformers
    that are not named `weight` (class token, position embeddings and biases, scales). `factor` is a
    group's rate as a multiple of `learning_rate`.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for module in (net, loss):
        for name, weight in module.named_parameters():
            if weight.requires_grad:
                decays = weight.ndim > 1 and (module is loss or name.endswith("weight"))
                head = params.loss_lr if module is loss else 1.0
                factor = params.backbone_lr if name.startswith("backbone.") else head
                decay = params.weight_decay if decays else 0.0
                groups.setdefault((factor, decay), []).append(weight)
    return [
        {"params": weights, "weight_decay": decay, "factor": factor}
        for (factor, decay), weights in groups.items()
    ]


def learning_rate(params: TrainingParams, epoch: int, step: int, steps: int) -> float:
    """Compute the learning rate of a step: linear warm-up times schedule.

    The warm-up reaches 1 at the last step of `warmup_epochs`. The schedule is lr_shrink^epoch, or
    (1 + cos(π · share of completed steps)) / 2 (Loshchilov & Hutter, "SGDR", ICLR 2017, eq. 5).

    Args:
        params: training parameters.
        epoch: epoch, from 0.
        step: step of the epoch, from 0.
        steps: steps per epoch.
    """
    done = epoch + step / steps
    warm = min(1.0, (done + 1 / steps) / params.warmup_epochs) if params.warmup_epochs else 1.0
    if params.schedule == "cosine":
        return params.lr * warm * (1 + math.cos(math.pi * done / params.epochs)) / 2
    return params.lr * warm * params.lr_shrink**epoch


def average_of(net: nn.Module, decay: float) -> AveragedModel:
    """Create an exponential moving average (EMA) of a network's weights and buffers.

    After n steps the decay is at most (1 + n) / (10 + n), so that the influence of the random
    initial weights vanishes quickly.
    """

    def update(averages: Any, weights: Any, steps: Tensor | int) -> None:
        at_most = (1 + int(steps)) / (10 + int(steps))
        get_ema_multi_avg_fn(min(decay, at_most))(averages, weights, steps)  # type: ignore[no-untyped-call]

    return AveragedModel(net, multi_avg_fn=update, use_buffers=True)


def freeze(net: nn.Module, count: int) -> None:
    """Freeze a network's first blocks and the layers before them.

    Raises:
        ValueError: the network has fewer blocks.
    """
    blocks = list(blocks_of(net))
    if count > len(blocks):
        raise ValueError(
            f"training.frozen_blocks: this network has {len(blocks)} blocks, not {count}"
        )
    kept = {id(weight) for block in blocks[:count] for weight in block.parameters()}
    for weight in net.parameters():
        if not kept:
            return
        weight.requires_grad_(False)
        kept.discard(id(weight))


def keep_statistics(modules: nn.Module, frozen_only: bool = False) -> None:
    """Set batch norms to evaluation mode: all, or those with frozen weights."""
    for module in modules.modules():
        learns = any(weight.requires_grad for weight in module.parameters())
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and not (frozen_only and learns):
            module.eval()


def scale_in(params: TrainingParams, epoch: int) -> float:
    """Return the resizing factor of an epoch's images, which changes linearly over the epochs.

    Smaller images in early epochs save time at equal accuracy (Tan & Le, "EfficientNetV2", ICML
    2021, sec. 4).
    """
    if not isinstance(params.scale, tuple):
        return params.scale
    first, last = params.scale
    return first + (last - first) * epoch / max(1, params.epochs - 1)
