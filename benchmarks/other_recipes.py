"""Recipes of other libraries: trained on the pixels of the newest run, for as long as it trained.

    python benchmarks/other_recipes.py pml-multi-similarity --env=cars196 --seconds=875
        [--lr=0.0001] [--size=128] [--own]

Loss, miner, sampler, optimizer and crops are the library's. The network begins with the weights,
pooling and projection of the run; batch norms keep their statistics, and bfloat16 and the faster
depthwise gradients are this project's. `--seconds` are processor time. OML asks for an older NumPy
than is needed: `pip install --no-deps open-metric-learning gdown validators`.
"""

import argparse
import importlib
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F  # noqa: N812
from pytorch_metric_learning.losses import MultiSimilarityLoss, ProxyAnchorLoss, TripletMarginLoss
from pytorch_metric_learning.miners import MultiSimilarityMiner
from run_results import catalog_of, load_results
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode, v2

from car_retrieval.data.protocols import labels_of
from car_retrieval.data.splits import TRAIN
from car_retrieval.io.matrix import Matrix
from car_retrieval.metrics.retrieval import per_query, required_depth, summarise
from car_retrieval.models.descriptor import DescriptorNet, config_of
from car_retrieval.models.encoder import Encoder, encode, with_features
from car_retrieval.models.whitening import Whitening, fit_whitening
from car_retrieval.search.exact import search_exact
from car_retrieval.training.depthwise import speed_up_depthwise
from car_retrieval.training.optimizer import keep_statistics
from car_retrieval.training.samplers import SAMPLERS
from parameters import training_params

K = 20
DIMENSION = 512
NAMES = ("gallery_images", "query_images", "split", "query_photos")
Loss = Callable[[Tensor, Tensor], Tensor]


class Recipe(NamedTuple):
    """How a library trains.

    Attributes:
        loss: of descriptors and classes; a module may have weights.
        batches: rows of each batch, without end.
        optimizer: for a learning rate.
        crop: changes one training photo.
    """

    loss: Loss
    batches: Iterator[np.ndarray]
    optimizer: torch.optim.Optimizer
    crop: v2.Transform


class Mined(nn.Module):
    """A loss of pytorch-metric-learning on the pairs that its miner chooses."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss, self.miner = loss, MultiSimilarityMiner(epsilon=0.1)

    def forward(self, descriptors: Tensor, classes: Tensor) -> Tensor:
        return self.loss(descriptors, classes, self.miner(descriptors, classes))


def pml(loss: nn.Module, net: DescriptorNet, labels: np.ndarray, lr: float, size: int) -> Recipe:
    """pytorch-metric-learning's example MetricLossOnly: four photos of each of eight classes.

    Its rate is 1e-5, and ten times that for the projection. Proxies learn a hundred times as fast,
    as in the code of Proxy-Anchor's authors.
    """
    rates = {net.backbone: lr, net.pool: lr, net.projection: 10 * lr, loss: 100 * lr}
    groups = [{"params": list(part.parameters()), "lr": rate} for part, rate in rates.items()]
    return Recipe(
        loss,
        unending(lambda rng: SAMPLERS["MPerClassSampler"](labels, 32, rng, m=4)),
        torch.optim.Adam([group for group in groups if group["params"]], weight_decay=1e-4),
        v2.RandomResizedCrop(size, scale=(0.16, 1), ratio=(0.75, 1.33)),
    )


def multi_similarity(net: DescriptorNet, labels: np.ndarray, lr: float, size: int) -> Recipe:
    """Multi-similarity loss and its miner, both by default."""
    return pml(Mined(MultiSimilarityLoss()), net, labels, lr, size)


def triplet(net: DescriptorNet, labels: np.ndarray, lr: float, size: int) -> Recipe:
    """The example itself: triplets of the same miner."""
    return pml(Mined(TripletMarginLoss(margin=0.1)), net, labels, lr, size)


def proxy_anchor(net: DescriptorNet, labels: np.ndarray, lr: float, size: int) -> Recipe:
    """Proxy-Anchor by default."""
    loss = ProxyAnchorLoss(len(np.unique(labels)), DIMENSION)
    return pml(loss, net, labels, lr, size)


def oml(net: DescriptorNet, labels: np.ndarray, lr: float, size: int, classes: int) -> Recipe:
    """OML's Cars196 pipeline: soft triplet loss on all triplets of 10 photos a class, by Adam.

    It has 20 classes a batch, 10,000 epochs of 10 batches and a rate of 1e-5.
    """
    names = ("losses.triplet", "miners.inbatch_all_tri", "samplers.balance")
    losses, miners, samplers = (importlib.import_module(f"oml.{name}") for name in names)

    sampler = samplers.BalanceSampler(labels, n_labels=classes, n_instances=10)
    return Recipe(
        losses.TripletLossWithMiner(margin=None, miner=miners.AllTripletsMiner()),
        unending(lambda rng: map(np.array, sampler)),
        torch.optim.Adam(net.parameters(), lr=lr),
        v2.RandomResizedCrop(size, scale=(0.2, 1), interpolation=InterpolationMode.BICUBIC),
    )


def oml_20(net: DescriptorNet, labels: np.ndarray, lr: float, size: int) -> Recipe:
    """OML's batches of 200 photos."""
    return oml(net, labels, lr, size, classes=20)


def oml_6(net: DescriptorNet, labels: np.ndarray, lr: float, size: int) -> Recipe:
    """Batches of 60 photos, for more steps in the time."""
    return oml(net, labels, lr, size, classes=6)


RECIPES: dict[str, Callable[[DescriptorNet, np.ndarray, float, int], Recipe]] = {
    "pml-multi-similarity": multi_similarity,
    "pml-triplet": triplet,
    "pml-proxy-anchor": proxy_anchor,
    "oml-20": oml_20,
    "oml-6": oml_6,
}


def unending(epoch: Callable[[np.random.Generator], Iterable[np.ndarray]]) -> Iterator[np.ndarray]:
    """Batches of one epoch after another."""
    rng = np.random.default_rng(7)
    return chain.from_iterable(map(epoch, repeat(rng)))


def train(
    net: DescriptorNet, recipe: Recipe, images: Matrix, labels: pd.Series, seconds: float
) -> int:
    """Train until the processor time is up; returns the number of training images."""
    change = v2.Compose([recipe.crop, v2.RandomHorizontalFlip()])
    classes = np.unique(labels, return_inverse=True)[1]
    net.train()
    keep_statistics(net.backbone)
    speed_up_depthwise(net.backbone)
    seen, losses, began, told = 0, [], time.process_time(), 0.0
    while (spent := time.process_time() - began) < seconds:
        batch = next(recipe.batches)
        photos = torch.from_numpy(images[labels.index.to_numpy()[batch]])
        changed = torch.stack([change(photo) for photo in photos])
        with torch.autocast("cpu", torch.bfloat16):
            descriptors = net.embed(changed)
        loss = recipe.loss(descriptors.float(), torch.from_numpy(classes[batch]))
        recipe.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        recipe.optimizer.step()
        seen += len(batch)
        losses.append(loss.item())
        if spent - told > seconds / 10:
            print(f"{spent:6.0f} s, {seen:,} images, loss {np.mean(losses):.4f}", flush=True)
            losses, told = [], spent
    return seen


class Both(Encoder):
    """The descriptor of the head and, behind it, that of the layers before it."""

    def __init__(self, net: DescriptorNet) -> None:
        super().__init__(net)
        self.layers = with_features(net, "stage")

    def forward(self, images: Tensor) -> Tensor:
        layers = self.layers.embed(images)
        own = self.net.projection(layers[:, : self.net.projection.in_features])
        return torch.cat([F.normalize(own), F.normalize(layers)], dim=1)


def leave_one_out(vectors: np.ndarray, classes: pd.Series) -> str:
    """R@1 to R@8 and MAP@R of photos that search each other, as cells of a table."""
    ids = classes.index.to_numpy()
    depth = required_depth(classes, classes, K)
    result = search_exact(ids, vectors, [(ids, vectors)], depth, exclude=ids)
    table = per_query(result, classes, classes, k=K, ks=(1, 2, 4, 8), self_in_gallery=True)
    scores = summarise(table, classes, K)
    return " | ".join(f"{scores[name]:.3f}" for name in ("R@1", "R@2", "R@4", "R@8", "MAP@R"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--env", default="cars196")
    parser.add_argument("--seconds", type=float, default=875, help="of training")
    parser.add_argument("--lr", type=float, default=1e-5)
    parser.add_argument("--size", type=int, help="px, for a quick comparison of rates")
    parser.add_argument("--own", action="store_true", help="only the library's own descriptors")
    wanted = parser.parse_args()
    images, queries, split, query_photos = load_results(catalog_of(wanted.env), NAMES)
    labels = labels_of(split[split["split"] == TRAIN])
    test = labels_of(query_photos)

    torch.manual_seed(7)
    full = images.shape[-1]
    size = wanted.size or full
    params = training_params(dimension=DIMENSION, neck="none")
    net = DescriptorNet(config_of(params, full), params.weights)
    recipe = RECIPES[wanted.recipe](net, labels.to_numpy(), wanted.lr, size)
    seen = train(net, recipe, images, labels, wanted.seconds)
    print(f"{wanted.recipe}, rate {wanted.lr:g}, {size} px: {seen:,} images", flush=True)

    def described(encoder: Encoder, photos: Matrix, labels: pd.Series) -> np.ndarray:
        return np.concatenate(list(encode(encoder, photos, rows=labels.index.to_numpy())))

    if wanted.own:
        own = described(Encoder(net, [size / full]), queries, test)
        print(f"| its own descriptors | {leave_one_out(own, test)} |", flush=True)
        return
    both = Both(net)
    found = described(both, queries, test)
    own, layers = found[:, :DIMENSION], found[:, DIMENSION:]
    print(f"| its own descriptors | {leave_one_out(own, test)} |", flush=True)
    training = described(both, images, labels)[:, DIMENSION:]
    whitening = Whitening(fit_whitening(training, labels.to_numpy(), "learnt", power=0.7))
    print(f"| layers before its head, whitened | {leave_one_out(whitening(layers), test)} |")


if __name__ == "__main__":
    main()
