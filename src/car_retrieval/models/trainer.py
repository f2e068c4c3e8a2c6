"""Metric learning, one epoch at a time."""

import logging
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from car_retrieval.listing import digest
from car_retrieval.matrix import Matrix
from car_retrieval.models.augmentation import Augmentation
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet, pick_device
from car_retrieval.models.encoder import resized
from car_retrieval.models.losses import build_loss, build_miner
from car_retrieval.models.samplers import SAMPLERS
from car_retrieval.models.validation import Validation
from car_retrieval.params import TrainingParams
from car_retrieval.splits import TRAIN

log = logging.getLogger(__name__)


class Trainer:
    """A network, its loss and its optimiser, trained epoch by epoch.

    Each epoch draws its batches and augmentations from its own seed, so that a run that was
    stopped and resumed equals, on the same machine, a run that was not.

    Args:
        images: uint8 [n, 3, R, R].
        split: Index, Class, split, whatever else says which photos; those of `train` are learnt.
        validation: rates the network after each epoch.
        params: how to train.
    """

    def __init__(
        self,
        images: Matrix | np.ndarray,
        split: pd.DataFrame,
        validation: Validation,
        params: TrainingParams,
    ) -> None:
        self.split = digest(split, split.columns.tolist())
        part = split[split["split"] == TRAIN]
        self.classes, self.labels = np.unique(part["Class"], return_inverse=True)
        self.rows, self.images = part["Index"].to_numpy(), images
        self.validation, self.params = validation, params
        self.device = pick_device(params.device)
        config = DescriptorConfig(
            arch=params.arch,
            dimension=params.dimension,
            image_size=images.shape[-1],
            normalisation=params.normalisation,
            pooling=params.pooling,
            neck=params.neck,
        )
        with torch.random.fork_rng():
            torch.manual_seed(params.seed)
            self.net = DescriptorNet(config, params.weights).to(self.device)
            self.loss = build_loss(
                params.loss.name, params.loss.args, len(self.classes), self.net.dimension
            ).to(self.device)
        self.miner = build_miner(params.miner.name, params.miner.args) if params.miner else None
        weights = [*self.net.parameters(), *self.loss.parameters()]
        self.optimizer = torch.optim.AdamW(weights, lr=params.lr, weight_decay=params.weight_decay)

    def epochs(self, start: int = 0) -> Iterator[Checkpoint]:
        """Train from epoch `start` to the last; yields the state after each epoch."""
        for epoch in range(start, self.params.epochs):
            began = time.perf_counter()
            lr = self.params.lr * self.params.lr_shrink**epoch
            for group in self.optimizer.param_groups:
                group["lr"] = lr
            loss, seen = self._train_epoch(epoch)
            seconds = time.perf_counter() - began
            report: dict[str, float] = {
                "epoch": epoch,
                "loss": loss,
                "lr": lr,
                "images": seen,
                "seconds": seconds,
            }
            report |= self.validation(self.net)
            log.info(
                "epoch %d of %d: loss %.4f, validation mAP@%d %.3f, R@1 %.3f, AUC %.3f, EER %.3f "
                "(%d images in %.0f s)",
                *(epoch, self.params.epochs, loss, self.params.k, report[f"mAP@{self.params.k}"]),
                *(report["R@1"], report["auc"], report["eer"], seen, seconds),
            )
            yield self._checkpoint(report)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint.

        Raises:
            ValueError: it belongs to another network, other classes, photos or split, or another
                loss.
        """
        for name, here, there in (
            ("network", asdict(self.net.config), checkpoint["config"]),
            ("list of training classes", self.classes.tolist(), checkpoint["classes"]),
            ("list or split of photos", self.split, checkpoint.get("split")),
        ):
            if here != there:
                raise _differs(name)
        if f"mAP@{self.params.k}" not in checkpoint["report"]:
            raise ValueError(
                f"training.start_epoch: the checkpoint was not rated by mAP@{self.params.k}; "
                "resume with the training.k it was trained with"
            )
        self.net.load_state_dict(checkpoint["model"])
        try:
            self.loss.load_state_dict(checkpoint["loss"])
            self.optimizer.load_state_dict(checkpoint["optimizer"])
        except (RuntimeError, ValueError):
            raise _differs("loss") from None

    def _train_epoch(self, epoch: int) -> tuple[float, int]:
        self.net.train()
        seed = self.params.seed * 100_003 + epoch
        augment = self._augmentation(seed)
        batches = self._batches(seed)
        total = torch.zeros((), device=self.device)
        seen = 0
        with tqdm(batches, f"epoch {epoch}", unit="batch", disable=None, leave=False) as bar:
            for step, batch in enumerate(bar, start=1):
                images = torch.from_numpy(self.images[self.rows[batch]]).to(self.device)
                labels = torch.from_numpy(self.labels[batch]).to(self.device)
                loss = self._step(augment(images), labels)
                if not torch.isfinite(loss):
                    raise FloatingPointError(
                        f"training: the loss is {loss.item()} in epoch {epoch}, batch {step}; "
                        "lower training.lr"
                    )
                total += loss
                seen += len(batch)
                if step % self.params.show_batch == 0:
                    bar.set_postfix(loss=f"{total.item() / step:.4f}")
        return total.item() / len(batches), seen

    def _step(self, images: Tensor, labels: Tensor) -> Tensor:
        descriptors = self.net(resized(images, self.params.scale))
        mined = self.miner(descriptors, labels) if self.miner else None
        loss = self.loss(descriptors, labels, mined)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def _batches(self, seed: int) -> list[np.ndarray]:
        sampler = SAMPLERS[self.params.sampler.name]
        rng = np.random.default_rng(seed)
        return list(sampler(self.labels, self.params.batch_size, rng, **self.params.sampler.args))

    def _augmentation(self, seed: int) -> Callable[[Tensor], Tensor]:
        wanted = self.params.augmentation
        return Augmentation(wanted, seed, self.device) if wanted else Tensor.float

    def _checkpoint(self, report: dict) -> Checkpoint:
        return {
            "config": asdict(self.net.config),
            "classes": self.classes.tolist(),
            "split": self.split,
            "model": deepcopy(self.net.state_dict()),
            "loss": deepcopy(self.loss.state_dict()),
            "optimizer": deepcopy(self.optimizer.state_dict()),
            "report": report,
        }


def _differs(what: str) -> ValueError:
    return ValueError(
        f"training.start_epoch: the checkpoint has another {what}; resume with the parameters "
        "and data it was trained with, or set start_epoch to -1"
    )
