"""Activation checkpointing: less memory, more time."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

CONTAINERS = (nn.Sequential, nn.ModuleList)


def recompute_blocks(net: nn.Module) -> None:
    """Store only the input of each block; recompute its activations in the backward pass.

    Chen et al., "Training deep nets with sublinear memory cost", 2016. Gradients and batch-norm
    statistics do not change.
    """
    for block in blocks_of(net):
        setattr(block, "forward", partial(_recomputed, block, block.forward))  # noqa: B010


def blocks_of(net: nn.Module) -> Iterator[nn.Module]:
    """Yield the outermost composite members of sequences: a ResNet's residual blocks."""
    for child in net.children():
        made_of_parts = next(child.children(), None) is not None
        if isinstance(net, CONTAINERS) and made_of_parts and not isinstance(child, CONTAINERS):
            yield child
        else:
            yield from blocks_of(child)


def _recomputed(block: nn.Module, forward: Any, *inputs: Any) -> Any:
    def contexts() -> tuple[AbstractContextManager, AbstractContextManager]:
        return nullcontext(), _without_statistics(block)

    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=contexts)


@contextmanager
def _without_statistics(block: nn.Module) -> Iterator[None]:
    """Disable the update of batch-norm statistics, which the first pass did for this batch."""
    norms: list[Any] = [
        module
        for module in block.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training
    ]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count
