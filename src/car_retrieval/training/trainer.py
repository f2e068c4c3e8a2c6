"""Metric learning, one epoch at a time."""

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from car_retrieval.data.fingerprint import digest
from car_retrieval.data.known_photos import KnownPhotos
from car_retrieval.data.splits import TRAIN
from car_retrieval.io.matrix import Matrix
from car_retrieval.io.prefetch import prefetch
from car_retrieval.models.checkpoint import Checkpoint, tensors_of
from car_retrieval.models.descriptor import (
    DescriptorConfig,
    DescriptorNet,
    config_of,
    pick_device,
)
from car_retrieval.models.encoder import resized
from car_retrieval.params import TrainingParams
from car_retrieval.training.activation_checkpointing import recompute_blocks
from car_retrieval.training.augmentation import Augmentation
from car_retrieval.training.depthwise import speed_up_depthwise
from car_retrieval.training.losses import build_loss, build_miner, needs_pairs, with_memory
from car_retrieval.training.optimizer import (
    Optimisation,
    freeze,
    keep_statistics,
    learning_rate,
    scale_in,
)
from car_retrieval.training.provenance import provenance
from car_retrieval.training.samplers import SAMPLERS
from car_retrieval.training.validation import Validation

log = logging.getLogger(__name__)


class Trainer:
    """Trainer of a network with loss and optimizer, epoch by epoch.

    Each epoch has its own seed of batches and augmentation, so that a resumed run is identical, on
    the same machine, to an uninterrupted one. Epochs are validated and saved with the weight EMA,
    if any (`ema`).

    With `accumulation` a step adds the gradients of several batches. Batch norms and losses of
    pairs or tuples still use one small batch at a time.

    Args:
        images: uint8 [n, 3, R, R].
        split: Index, Class, split and other columns of the photos; those of `train` are used.
        validation: validation after each epoch.
        params: training parameters.
    """

    def __init__(
        self,
        images: Matrix | np.ndarray,
        split: pd.DataFrame,
        validation: Validation,
        params: TrainingParams,
    ) -> None:
        self.split = digest(split, split.columns.tolist())
        self.known = KnownPhotos.of(split)
        part = split[split["split"] == TRAIN]
        self.classes, self.labels = np.unique(part["Class"], return_inverse=True)
        self.rows, self.images = part["Index"].to_numpy(), images
        self.validation, self.params = validation, params
        self.device = pick_device(params.device)
        with torch.random.fork_rng():
            torch.manual_seed(params.seed)
            config = config_of(params, images.shape[-1])
            self.net = DescriptorNet(config, params.weights).to(self.device)
            self.loss, self.miner = self._loss_and_miner()
        freeze(self.net.backbone, params.frozen_blocks)
        if self.device.type == "cpu" and not params.compile:
            speed_up_depthwise(self.net.backbone)
        self.optimisation = Optimisation(self.net, self.loss, params)
        if params.checkpointing:
            recompute_blocks(self.net.backbone)
        self.embed = torch.compile(self.net.embed) if params.compile else self.net.embed

    def epochs(self, start: int = 0) -> Iterator[Checkpoint]:
        """Train from epoch `start` to the last; yields the state after each epoch."""
        for epoch in range(start, self.params.epochs):
            began, began_cpu = time.perf_counter(), time.process_time()
            report: dict[str, float] = {"epoch": epoch} | self._train_epoch(epoch)
            report["seconds"] = time.perf_counter() - began
            report["cpu_seconds"] = time.process_time() - began_cpu
            report |= self.validation(self.optimisation.kept)
            log.info(
                "epoch %d of %d: loss %.4f, validation mAP@%d %.3f, MAP@R %.3f, R@1 %.3f, AUC %.3f "
                "(%d images in %.0f s)",
                *(epoch + 1, self.params.epochs, report["loss"]),
                *(self.params.k, report[f"mAP@{self.params.k}"], report["MAP@R"], report["R@1"]),
                *(report["AUC"], report["images"], report["seconds"]),
            )
            yield self._checkpoint(report)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Resume from a checkpoint.

        Raises:
            ValueError: the checkpoint has another network, classes, photos, split or loss.
        """
        for name, here, there in (
            ("network", self.net.config, DescriptorConfig(**checkpoint["config"])),
            ("list of training classes", self.classes.tolist(), checkpoint["classes"]),
            ("list or split of photos", self.split, checkpoint.get("split")),
            ("loss", self.params.loss.name, checkpoint["provenance"]["parameters"]["loss"]["name"]),
        ):
            if here != there:
                raise _differs(name)
        if not {f"mAP@{self.params.k}", "MAP@R"} <= set(checkpoint["report"]):
            raise ValueError(
                f"training.start_epoch: the checkpoint has no validation mAP@{self.params.k} and "
                "MAP@R; resume with its training.k"
            )
        if ("trained" in checkpoint) != bool(self.params.ema):
            raise _differs("kind of weights (training.ema)")
        try:
            self.loss.load_state_dict(checkpoint["loss"])
            self.optimisation.restore(checkpoint)
        except (RuntimeError, ValueError):
            raise _differs("loss") from None

    def _train_epoch(self, epoch: int) -> dict[str, float]:
        """Train on every batch; returns mean loss, last learning rate and number of images."""
        self.net.train()
        keep_statistics(self.net.backbone, frozen_only=not self.params.freeze_bn)
        seed = self.params.seed * 100_003 + epoch
        augment, batches = self._augmentation(seed), self._batches(seed)
        pairless = self._check_pairs(batches)
        size, scale = self.params.accumulation, scale_in(self.params, epoch)
        steps = math.ceil(len(batches) / size)
        total, lr = torch.zeros((), device=self.device), 0.0
        bar = tqdm(
            total=len(batches),
            desc=f"epoch {epoch + 1} of {self.params.epochs}",
            unit="batch",
            disable=None,
            leave=False,
        )
        with bar, self._seeded(seed):
            for number, read in enumerate(prefetch(self._read, batches), start=1):
                images, labels = (part.to(self.device, non_blocking=True) for part in read)
                loss = self._loss(augment(resized(images, scale)), labels)
                step = (number - 1) // size
                together = min(size, len(batches) - step * size)
                (loss / together).backward()  # type: ignore[no-untyped-call]
                total += loss.detach()
                if number % size == 0 or number == len(batches):
                    lr = learning_rate(self.params, epoch, step, steps)
                    self.optimisation.step(lr)
                bar.update()
                if number % self.params.show_batch == 0 or number == len(batches):
                    mean = total.item() / number  # the only synchronisation with the device
                    if not math.isfinite(mean):
                        raise FloatingPointError(
                            f"training: the loss is {mean} in epoch {epoch + 1} at batch "
                            f"{number}; " + (_WANTS_PAIRS if pairless else "lower training.lr")
                        )
                    bar.set_postfix(loss=f"{mean:.4f}")
        if mean == 0:
            log.warning(
                "the loss is 0 in the whole of epoch %d, without effect: %s",
                *(epoch + 1, _WANTS_PAIRS if pairless else "no photos violate its margin"),
            )
        return {"loss": mean, "lr": lr, "images": sum(map(len, batches))}

    def _check_pairs(self, batches: list[np.ndarray]) -> int:
        """Count the batches without pairs for a pair loss; raise an error if all are."""
        if not needs_pairs(self.loss):
            return 0
        classes = [len(np.unique(self.labels[batch])) for batch in batches]
        pairless = sum(count == len(batch) for count, batch in zip(classes, batches, strict=True))
        if pairless == len(batches) and not self.params.memory:
            raise ValueError(f"training.loss: {self.params.loss.name}: {_WANTS_PAIRS}")
        return pairless

    def _read(self, batch: np.ndarray) -> tuple[Tensor, Tensor]:
        """Read images [b, 3, R, R] and labels [b], to pinned memory for asynchronous copies."""
        images = torch.from_numpy(self.images[self.rows[batch]])
        labels = torch.from_numpy(self.labels[batch])
        if self.device.type == "cuda":
            return images.pin_memory(), labels.pin_memory()
        return images, labels

    def _loss(self, images: Tensor, labels: Tensor) -> Tensor:
        half = self.params.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            descriptors = self.embed(images)
        descriptors = descriptors.float()
        mined = self.miner(descriptors, labels) if self.miner else None
        return self.loss(descriptors, labels, mined)

    def _loss_and_miner(self) -> tuple[nn.Module, nn.Module | None]:
        params, dimension = self.params, self.net.dimension
        loss = build_loss(params.loss.name, params.loss.args, len(self.classes), dimension)
        miner = build_miner(params.miner.name, params.miner.args) if params.miner else None
        if params.memory:
            loss, miner = with_memory(loss, params.memory, dimension, miner), None
        return loss.to(self.device), miner

    @contextmanager
    def _seeded(self, seed: int) -> Iterator[None]:
        """Seed torch's global generator, used by dropout, stochastic depth and some miners."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            yield

    def _batches(self, seed: int) -> list[np.ndarray]:
        sampler = SAMPLERS[self.params.sampler.name]
        rng = np.random.default_rng(seed)
        drawn: list[np.ndarray] = []
        images, passes, wanted = 0, 0, self.params.images_per_epoch
        while wanted or passes < self.params.passes_per_epoch:
            for batch in sampler(
                self.labels, self.params.batch_size, rng, **self.params.sampler.args
            ):
                drawn.append(batch)
                images += len(batch)
                if wanted and images >= wanted:
                    return drawn
            if not drawn:
                break
            passes += 1
        return drawn

    def _augmentation(self, seed: int) -> Callable[[Tensor], Tensor]:
        wanted = self.params.augmentation
        return Augmentation(wanted, seed, self.device) if wanted else Tensor.float

    def _checkpoint(self, report: dict) -> Checkpoint:
        state: Any = {
            "config": asdict(self.net.config),
            "classes": self.classes.tolist(),
            "split": self.split,
            "provenance": provenance(self.params, self.split),
            "model": deepcopy(self.optimisation.kept.state_dict()),
            "report": report,
            "photos": tensors_of(self.known),
            "loss": deepcopy(self.loss.state_dict()),
        }
        return state | self.optimisation.state()


_WANTS_PAIRS = (
    "there are batches without two photos of a class, which this loss compares: set "
    "training.sampler to {name: pk}"
)


def _differs(what: str) -> ValueError:
    return ValueError(
        f"training.start_epoch: the checkpoint has another {what}; resume with its parameters and "
        "data, or set start_epoch to -1"
    )
