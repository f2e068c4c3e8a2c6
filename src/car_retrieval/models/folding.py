"""Batch-norm folding: batch normalisation as part of the convolution before it.

In evaluation mode both are linear, so that one convolution does the work of both (Jacob et al.,
"Quantization and training of neural networks for efficient integer-arithmetic-only inference", CVPR
2018, section 3.2).
"""

import copy
from collections import Counter
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Network = TypeVar("Network", bound=nn.Module)
TOLERANCE = 1e-3  # relative to the largest output; rounding makes about 1e-6


def folded(net: Network, images: Tensor) -> Network:
    """Return a copy of a network with its batch normalisation folded into its convolutions.

    A normalisation is folded if its input is what a convolution returned.

    Args:
        net: network in evaluation mode.
        images: example input [b, ...].

    Returns:
        A network with the same output up to rounding, without gradients of its weights; `net`
        itself if nothing can be folded, or if folding would change the output.
    """
    pairs = _pairs(net, images)
    if not pairs:
        return net
    result = copy.deepcopy(net).requires_grad_(False)
    for conv_name, norm_name in pairs:
        conv, norm = result.get_submodule(conv_name), result.get_submodule(norm_name)
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        combined = fuse_conv_bn_eval(conv, norm)
        conv.weight, conv.bias = combined.weight, combined.bias
        activation = getattr(norm, "act", nn.Identity())  # of a layer of timm that has both
        parent, _, attribute = norm_name.rpartition(".")
        setattr(result.get_submodule(parent), attribute, activation)
    result.requires_grad_(False)
    with torch.inference_mode():
        wanted, got = net(images), result(images)
    same = (wanted - got).abs().max() <= TOLERANCE * wanted.abs().max()
    return result if same else net


def gradient(size: int) -> Tensor:
    """Return an example image, float32 [1, 3, size, size] from 0 to 1, without random numbers."""
    return torch.linspace(0, 1, 3 * size * size).reshape(1, 3, size, size)


def _pairs(net: nn.Module, images: Tensor) -> list[tuple[str, str]]:
    """List the names of convolutions and of the normalisations that take all of their outputs."""
    names = {module: name for name, module in net.named_modules()}
    outputs: list[tuple[str, Tensor]] = []
    pairs: Counter[tuple[str, str]] = Counter()
    calls: Counter[str] = Counter()

    def keep(module: nn.Module, _: tuple[Tensor], output: Tensor) -> None:
        calls[names[module]] += 1
        outputs.append((names[module], output))

    def pair(module: nn.Module, inputs: tuple[Tensor]) -> None:
        calls[names[module]] += 1
        pairs.update((conv, names[module]) for conv, output in outputs if output is inputs[0])

    hooks = [
        module.register_forward_hook(keep)
        if isinstance(module, nn.Conv2d)
        else module.register_forward_pre_hook(pair)
        for module in names
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d)
    ]
    with torch.inference_mode():
        net(images)
    for hook in hooks:
        hook.remove()
    return [pair for pair, count in pairs.items() if all(calls[name] == count for name in pair)]
