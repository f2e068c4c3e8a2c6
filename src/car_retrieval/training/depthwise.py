"""Faster gradients of depthwise convolutions on a CPU."""

from itertools import product
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.padding import pad_same
from torch import Tensor, nn

PIECE = 3
OFFSETS = {3: (0,), 5: (0, 2)}  # of the pieces, by the side of the kernel


class Depthwise(nn.Module):
    """Depthwise convolution of 3 × 3 or 5 × 5, whose gradients are computed by fast kernels.

    PyTorch has a fast kernel for the weight gradient of 3 × 3 depthwise convolutions on a CPU, but
    none for 5 × 5, and for the gradient by a strided input only in float32; in bfloat16 the slow
    ones take longer than all other layers together. A 5 × 5 gradient consists of four overlapping
    3 × 3 ones, of shifted inputs. The gradients are the same up to rounding.

    Args:
        layer: convolution to replace, without bias; its weights are shared.
    """

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.stride = layer.weight, layer.stride[0]
        self.sides = list(layer.weight.shape[2:])
        self.same = isinstance(layer, Conv2dSame)
        self.padding = 0 if self.same else int(layer.padding[0])

    def forward(self, features: Tensor) -> Tensor:
        """Convolve features [b, c, h, w]."""
        if self.same:
            features = pad_same(features, self.sides, [self.stride, self.stride])
        if torch.is_autocast_enabled("cpu"):
            features = features.to(torch.get_autocast_dtype("cpu"))
        features = features.contiguous(memory_format=torch.channels_last)
        convolved: Tensor = _Convolve.apply(features, self.weight, self.stride, self.padding)
        return convolved


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(features, weight)
        ctx.stride, ctx.padding = stride, padding
        own = weight.to(features.dtype)
        return F.conv2d(features, own, None, stride, padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (features, weight), gradient = ctx.saved_tensors, gradients[0]
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        by_features = None
        if ctx.needs_input_grad[0]:
            by_features = _by_features(gradient, features, weight, ctx.stride, ctx.padding)
        by_weight = None
        if ctx.needs_input_grad[1]:
            by_weight = _by_weight(gradient, features, weight, ctx.stride, ctx.padding)
        return by_features, by_weight, None, None


def _by_features(
    gradient: Tensor, features: Tensor, weight: Tensor, stride: int, padding: int
) -> Tensor:
    """Gradient by the input; with a stride in float32, for which there is a fast kernel."""
    if stride == 1:
        turned = weight.to(gradient.dtype).flip(2, 3)
        return F.conv2d(
            gradient, turned, None, 1, weight.shape[3] - 1 - padding, groups=len(weight)
        )
    parts = (gradient.float(), features.float(), weight.float())
    return _backward(*parts, stride, padding, (True, False, False))[0].to(features.dtype)


def _by_weight(
    gradient: Tensor, features: Tensor, weight: Tensor, stride: int, padding: int
) -> Tensor:
    """Gradient by the weights, joined from pieces of 3 × 3."""
    padded = F.pad(features, (padding,) * 4)
    height, width = ((side - 1) * stride + PIECE for side in gradient.shape[2:])
    example = weight[:, :, :PIECE, :PIECE].to(features.dtype).contiguous()
    joined = torch.empty_like(weight)
    offsets = OFFSETS[weight.shape[3]]
    for row, column in product(offsets, offsets):
        part = padded[:, :, row : row + height, column : column + width]
        part = part.contiguous(memory_format=torch.channels_last)
        piece = _backward(gradient, part, example, stride, 0, (False, True, False))[1]
        joined[:, :, row : row + PIECE, column : column + PIECE] = piece
    return joined


def _backward(
    gradient: Tensor,
    features: Tensor,
    weight: Tensor,
    stride: int,
    padding: int,
    wanted: tuple[bool, bool, bool],
) -> tuple[Tensor, Tensor, Tensor]:
    found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
        *(gradient, features, weight, None),
        *([stride] * 2, [padding] * 2, [1, 1], False, [0, 0], len(weight), wanted),
    )
    return found


def speed_up_depthwise(net: nn.Module) -> None:
    """Replace the depthwise convolutions of 3 × 3 and 5 × 5 in a network by `Depthwise`."""
    for name, layer in net.named_children():
        if isinstance(layer, nn.Conv2d):
            if _replaceable(layer):
                setattr(net, name, Depthwise(layer))
        else:
            speed_up_depthwise(layer)


def _replaceable(layer: nn.Conv2d) -> bool:
    return (
        type(layer) in (nn.Conv2d, Conv2dSame)
        and layer.bias is None
        and layer.groups == layer.in_channels == layer.out_channels
        and layer.kernel_size in ((3, 3), (5, 5))
        and layer.stride in ((1, 1), (2, 2))
        and layer.dilation == (1, 1)
        and (isinstance(layer, Conv2dSame) or layer.padding in ((0, 0), (1, 1), (2, 2)))
        and layer.padding_mode == "zeros"
    )
