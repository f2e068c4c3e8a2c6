"""Checkpoints of training: one file per epoch, `model.ep0`, `model.ep1` and so on.

The state needed only to resume, two or three times the size of the weights, is kept for the latest
epoch only: `resume.ep1`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kedro.io import Version
from kedro.io.core import VersionNotFoundError

from car_retrieval.datasets.preview import JSONPreview
from car_retrieval.datasets.versioned import LocalVersionedDataset
from car_retrieval.io.atomic import atomic
from car_retrieval.models.checkpoint import Checkpoint

PREFIX = "model.ep"
RESUME_PREFIX = "resume.ep"
TO_RESUME = ("loss", "optimizer", "trained", "averaged")
COMPLETE = "complete"


class Checkpoints(Mapping[int, Checkpoint]):
    """Checkpoints of a folder by epoch, read on access."""

    def __init__(self, folder: Path | None) -> None:
        files = folder.glob(f"{PREFIX}*") if folder else []
        numbers = {file.name.removeprefix(PREFIX): file for file in files}
        epochs = {int(number): file for number, file in numbers.items() if number.isdecimal()}
        self._files = dict(sorted(epochs.items()))

    def __getitem__(self, epoch: int) -> Checkpoint:
        import torch

        file = self._files[epoch]
        resume = file.with_name(f"{RESUME_PREFIX}{epoch}")
        state: Any = {}
        for part in (file, resume) if resume.exists() else (file,):
            state |= torch.load(part, map_location="cpu", weights_only=True)
        return state

    def __iter__(self) -> Iterator[int]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


class CheckpointsDataset(LocalVersionedDataset):
    """Folder of checkpoints, written one by one as training yields them.

    The loss and optimizer state of the previous epoch is deleted once both files of an epoch are
    written. Files written before a crash remain, to resume from; such a version lacks the
    completion marker and does not count as existing.

    Args:
        filepath: folder of the checkpoints.
        version: set by Kedro if the catalog has `versioned: true`.
        partial: load incomplete versions, too, and an empty mapping if there is no version.
        metadata: ignored by Kedro, read by plugins.
    """

    def __init__(
        self,
        filepath: str,
        version: Version | None = None,
        partial: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._partial = partial
        super().__init__(filepath, version, metadata)

    def save(self, data: Iterable[Checkpoint]) -> None:
        """Write each checkpoint as soon as it is yielded."""
        folder = self.save_path
        for checkpoint in data:
            epoch = checkpoint["report"]["epoch"]
            to_resume = {name: value for name, value in checkpoint.items() if name in TO_RESUME}
            rest = {name: value for name, value in checkpoint.items() if name not in TO_RESUME}
            _write(folder / f"{PREFIX}{epoch}", rest)
            if to_resume:
                outdated = set(folder.glob(f"{RESUME_PREFIX}*"))
                newest = folder / f"{RESUME_PREFIX}{epoch}"
                _write(newest, to_resume)
                for file in outdated - {newest}:
                    file.unlink()
        (folder / COMPLETE).touch()

    def load(self) -> Checkpoints:
        """Open the folder."""
        try:
            return Checkpoints(self.load_path)
        except VersionNotFoundError:
            if not self._partial:
                raise
            return Checkpoints(None)

    def preview(self) -> JSONPreview:
        """Show the epochs and the report of the latest."""
        checkpoints = self.load()
        newest = checkpoints[max(checkpoints)]["report"] if checkpoints else None
        return JSONPreview(json.dumps({"epochs": list(checkpoints), "newest": newest}))

    def _exists(self) -> bool:
        return self._partial or super()._exists()

    def _is_complete(self, path: str) -> bool:
        return (Path(path) / ("" if self._partial else COMPLETE)).exists()


def _write(file: Path, content: dict[str, Any]) -> None:
    import torch

    with atomic(file) as part:
        torch.save(content, part)
