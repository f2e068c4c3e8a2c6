"""Losses by name: pytorch-metric-learning's, and the tuple softmax of the reference system."""

import inspect
from typing import Any

import pytorch_metric_learning.losses
import pytorch_metric_learning.miners
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class TupleSoftmax(nn.Module):
    """Cross-entropy of finding the positive among one positive and several negatives.

    With s the cosine similarities to the anchor and t the temperature:
    loss = −log( exp(s₊/t) / (exp(s₊/t) + Σ exp(s₋/t)) ), averaged over tuples. The reference
    system has t = 1, with which four negatives keep the loss above ln(1 + 4e⁻²) = 0.433.

    Args:
        negatives: of each tuple.
        temperature: t.
    """

    def __init__(self, negatives: int = 4, temperature: float = 1.0) -> None:
        super().__init__()
        self.negatives, self.temperature = negatives, temperature

    def forward(self, descriptors: Tensor, labels: Tensor, mined: Any = None) -> Tensor:
        """Loss of descriptors [tuples · (2 + negatives), d], rows as the sampler laid them."""
        rows = descriptors.view(-1, 2 + self.negatives, descriptors.shape[1])
        similarity = torch.einsum("td,tcd->tc", rows[:, 0], rows[:, 1:])
        first = torch.zeros(len(rows), dtype=torch.long, device=rows.device)
        return F.cross_entropy(similarity / self.temperature, first)


def build_loss(name: str, args: dict[str, Any], classes: int, dimension: int) -> nn.Module:
    """Make a loss (descriptors, labels, mined pairs) → scalar.

    Args:
        name: `TupleSoftmax` or a class of `pytorch_metric_learning.losses`.
        args: its keyword arguments; `num_classes` and `embedding_size` are filled in.
        classes: number of training classes.
        dimension: of the descriptors.

    Raises:
        ValueError: there is no such loss, or the arguments do not fit it.
    """
    known = {"num_classes": classes, "embedding_size": dimension}
    return _build(pytorch_metric_learning.losses, "loss", name, args, known)


def build_miner(name: str, args: dict[str, Any]) -> nn.Module:
    """Make a miner of `pytorch_metric_learning.miners` by name; see `build_loss`."""
    return _build(pytorch_metric_learning.miners, "miner", name, args, {})


def _build(
    library: Any, kind: str, name: str, args: dict[str, Any], known: dict[str, Any]
) -> nn.Module:
    known_classes = {key: value for key, value in vars(library).items() if isinstance(value, type)}
    if kind == "loss":
        known_classes["TupleSoftmax"] = TupleSoftmax
    maker = known_classes.get(name)
    if maker is None:
        names = ", ".join(sorted(known_classes))
        raise ValueError(f"training.{kind}.name: there is no {name!r}; choose among {names}")
    accepted = {
        argument
        for base in maker.__mro__
        for argument in inspect.signature(base.__init__).parameters  # type: ignore[misc]
    }
    try:
        return maker(**{key: value for key, value in known.items() if key in accepted} | args)
    except (TypeError, ValueError) as error:
        raise ValueError(f"training.{kind}: {name}: {error}") from None
