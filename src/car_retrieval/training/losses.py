"""Losses by name: pytorch-metric-learning's, a classifier's, and the reference system's."""

import inspect
from typing import Any

import pytorch_metric_learning.losses
import pytorch_metric_learning.miners
import torch
import torch.nn.functional as F  # noqa: N812
from pytorch_metric_learning.losses import CrossBatchMemory
from torch import Tensor, nn


class TupleSoftmax(nn.Module):
    """Softmax cross-entropy of the positive among one positive and several negatives.

    With s the cosine similarities to the anchor and t the temperature:
    loss = −log( exp(s₊/t) / (exp(s₊/t) + Σ exp(s₋/t)) ), averaged over tuples. The reference
    system has t = 1, with which four negatives keep the loss above ln(1 + 4e⁻²) = 0.433.

    Args:
        negatives: number of negatives per tuple.
        temperature: temperature t.
    """

    def __init__(self, negatives: int = 4, temperature: float = 1.0) -> None:
        super().__init__()
        self.negatives, self.temperature = negatives, temperature

    def forward(self, descriptors: Tensor, labels: Tensor, mined: Any = None) -> Tensor:
        """Compute the loss of descriptors [tuples · (2 + negatives), d], in the sampler's order."""
        rows = F.normalize(descriptors).view(-1, 2 + self.negatives, descriptors.shape[1])
        similarity = torch.einsum("td,tcd->tc", rows[:, 0], rows[:, 1:])
        first = torch.zeros(len(rows), dtype=torch.long, device=rows.device)
        return F.cross_entropy(similarity / self.temperature, first)


class CrossEntropy(nn.Module):
    """Linear classifier of the training classes on descriptors of any length.

    Args:
        num_classes: number of classes.
        embedding_size: dimension of the descriptors.
        label_smoothing: share of the target spread over all classes (Szegedy et al.,
            "Rethinking the Inception architecture", CVPR 2016, sec. 7).
    """

    def __init__(self, num_classes: int, embedding_size: int, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.classifier = nn.Linear(embedding_size, num_classes, bias=False)
        self.label_smoothing = label_smoothing

    def forward(self, descriptors: Tensor, labels: Tensor, mined: Any = None) -> Tensor:
        """Compute the mean loss of descriptors [b, d] and class numbers int64 [b]."""
        logits = self.classifier(descriptors)
        return F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)


class Memory(CrossBatchMemory):
    """Pair loss with a memory of descriptors of earlier batches and a complete state dict.

    Wang et al., "Cross-batch memory for embedding learning", CVPR 2020.
    """

    def get_extra_state(self) -> dict[str, int]:
        """Return the queue state that the library does not save."""
        return {"next": self.queue_idx, "filled": int(self.has_been_filled)}

    def set_extra_state(self, state: dict[str, int]) -> None:
        """Restore the queue state."""
        self.queue_idx, self.has_been_filled = state["next"], bool(state["filled"])


def needs_pairs(loss: nn.Module) -> bool:
    """Return whether a loss only compares the photos of a batch, without proxies."""
    proxies = any(weights.ndim > 1 for weights in loss.parameters())
    return not proxies and not isinstance(loss, TupleSoftmax)


OWN = {"TupleSoftmax": TupleSoftmax, "CrossEntropy": CrossEntropy}


def build_loss(name: str, args: dict[str, Any], classes: int, dimension: int) -> nn.Module:
    """Build a loss (descriptors, labels, mined pairs) → scalar; descriptors may have any length.

    Args:
        name: `TupleSoftmax`, `CrossEntropy` or a class of `pytorch_metric_learning.losses`.
        args: keyword arguments of the class; `num_classes` and `embedding_size` are added.
        classes: number of training classes.
        dimension: dimension of the descriptors.

    Raises:
        ValueError: the loss does not exist, or its arguments are invalid.
    """
    known = {"num_classes": classes, "embedding_size": dimension}
    return _build(pytorch_metric_learning.losses, "loss", name, args, known)


def with_memory(loss: nn.Module, size: int, dimension: int, miner: nn.Module | None) -> Memory:
    """Add a memory of the last `size` descriptors to a pair loss; the miner selects among all.

    Raises:
        ValueError: the loss has weights or depends on order, and does not support a memory.
    """
    name, known = type(loss).__name__, Memory.supported_losses()
    if name not in known:
        names = ", ".join(sorted(known))
        raise ValueError(f"training.memory: {name} does not support a memory; choose from {names}")
    return Memory(loss, dimension, size, miner)


def build_miner(name: str, args: dict[str, Any]) -> nn.Module:
    """Build a miner of `pytorch_metric_learning.miners` by name; see `build_loss`."""
    return _build(pytorch_metric_learning.miners, "miner", name, args, {})


def _build(
    library: Any, kind: str, name: str, args: dict[str, Any], known: dict[str, Any]
) -> nn.Module:
    known_classes = {key: value for key, value in vars(library).items() if isinstance(value, type)}
    if kind == "loss":
        known_classes |= OWN
    maker = known_classes.get(name)
    if maker is None:
        names = ", ".join(sorted(known_classes))
        raise ValueError(f"training.{kind}.name: unknown {name!r}; choose from {names}")
    accepted = {
        argument
        for base in maker.__mro__
        for argument in inspect.signature(base.__init__).parameters  # type: ignore[misc]
    }
    try:
        return maker(**{key: value for key, value in known.items() if key in accepted} | args)
    except (TypeError, ValueError) as error:
        raise ValueError(f"training.{kind}: {name}: {error}") from None
