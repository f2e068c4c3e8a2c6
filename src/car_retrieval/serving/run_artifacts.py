"""Load the latest artifacts of an environment's runs for search by photo."""

import os
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog
from kedro.io.core import AbstractVersionedDataset, VersionNotFoundError
from kedro.utils import find_kedro_project

from car_retrieval.data.fingerprint import digest
from car_retrieval.gallery.living import LivingGallery, encoder_digest
from car_retrieval.io.matrix import Matrix
from car_retrieval.io.memory import keep_freed_memory
from car_retrieval.settings import CONFIG_LOADER_ARGS

if TYPE_CHECKING:
    import pandas as pd

    from car_retrieval.datasets.image_files import ImageFiles
    from car_retrieval.models.encoder import Encoder
    from car_retrieval.search.lopq.index import LopqIndex
    from car_retrieval.serving.retriever import Retriever

WATCHED = ("gallery_descriptors", "lopq_index", "no_match_threshold")
"""Datasets whose versions identify the artifacts of a run."""
SOURCES = ("gallery_photos", "web_images", "model", "checkpoints", "whitening", "gallery_store")


def open_retriever(env: str | None = None, project: Path | str = ".") -> "Retriever":
    """Open the latest artifacts of an environment for search by photo.

    Args:
        env: Kedro environment; None: the value of KEDRO_ENV, or the sample.
        project: the project folder, which holds conf/ and data/, or a folder inside it.

    Raises:
        FileNotFoundError: no run has finished yet.
        ValueError: the artifacts are inconsistent; the message names the pipelines to run.
    """
    return RunArtifacts(env, project).load_retriever()


def latest_versions(env: str | None = None, project: Path | str = ".") -> tuple[str, ...]:
    """List the versions that `open_retriever` would open, from file names only.

    Returns:
        The latest version of each dataset in `WATCHED`; "" for a missing one.

    Raises:
        FileNotFoundError: no run has finished yet.
    """
    config = catalog_config(env or os.getenv("KEDRO_ENV"), Path(project).resolve())
    files = [Path(config[name]["filepath"]) for name in WATCHED]
    latest = [
        max((path.parent.name for path in file.glob(f"*/{file.name}")), default="")
        for file in files
    ]
    if not latest[0]:
        option = f" --env={env}" if env else ""
        raise FileNotFoundError(f"no gallery descriptors found: run `kedro run{option}` first")
    return tuple(latest)


def is_evaluated(versions: tuple[str, ...]) -> bool:
    """Check that the index and the threshold are at least as new as the descriptors."""
    return min(versions) == versions[0]


class RunArtifacts:
    """Artifacts of an environment's latest run, loaded lazily.

    The latest descriptors determine the rest: each artifact that they were computed from is loaded
    in its latest version that is not newer than they are. A run in progress, which has saved a
    network but no descriptors, therefore has no effect.

    Args:
        env: Kedro environment; None: the value of KEDRO_ENV, or the sample.
        project: the project folder, which holds conf/ and data/, or a folder inside it.

    Attributes:
        versions: versions of the artifacts, as returned by `latest_versions`.
        descriptors: descriptors of the gallery photos.
        gallery: the gallery photos of the run, with the changes made since.

    Raises:
        FileNotFoundError: no run has finished yet.
        ValueError: the photos and the descriptors do not belong together.
    """

    def __init__(self, env: str | None = None, project: Path | str = ".") -> None:
        self.versions = latest_versions(env, project)  # first, so that later changes are noticed
        config = catalog_config(env or os.getenv("KEDRO_ENV"), Path(project).resolve())
        self._catalog = DataCatalog.from_config({**config})
        self.descriptors: Matrix = self._catalog.load("gallery_descriptors")
        self._attributes = self.descriptors.attributes
        photos: pd.DataFrame = self._load_source("gallery_photos")
        if self._attributes.get("photos") != digest(photos):
            raise ValueError(
                "gallery_descriptors were computed from a different list of photos than "
                "gallery_photos: run the pipeline encoding again"
            )
        if "crop" not in (self._attributes.get("encoder", {}).get("packing") or {}):
            raise ValueError(
                "gallery_descriptors do not record how their photos were packed (saved by an older "
                "version): run `kedro run "
                "--pipelines=data_processing,encoding,evaluation,searchers,diagnosis`"
            )
        self.gallery = LivingGallery(
            photos,
            np.asarray(self.descriptors.mapped()),
            self._catalog.load("gallery_store"),
            encoder_digest(self._attributes["encoder"]),
        )

    def load_retriever(self) -> "Retriever":
        """Load and check the network, the whitening and the index, and return a retriever.

        Raises:
            ValueError: the descriptors were computed with a different network or whitening.
        """
        keep_freed_memory()
        from car_retrieval.images.pack import Packing
        from car_retrieval.models.folding import folded, gradient
        from car_retrieval.params import EncodingParams
        from car_retrieval.serving.retriever import Retriever

        params = EncodingParams.model_validate(self._catalog.load("encoding"))
        encoder, whitening = self._load_encoder(params.device), self._load_source("whitening")
        packing = self._attributes["encoder"]["packing"]
        made_with = {"whitening": whitening.fingerprint(), "packing": packing}
        if encoder.signature() | made_with != self._attributes["encoder"]:
            raise ValueError(
                "gallery_descriptors were computed with a different network or whitening than the "
                "latest: run the pipelines encoding, evaluation, searchers and diagnosis again"
            )
        example = 255 * gradient(packing["size"]).to(encoder.net.mean.device)
        return Retriever(
            self.versions,
            self.gallery,
            self.files,
            folded(encoder, example),
            whitening,
            Packing(**packing),
            self.load_index(),
            self._load_threshold(),
            params.batch_size,
            self._attributes.get("untrained"),
        )

    @cached_property
    def files(self) -> "ImageFiles":
        """Files of the gallery photos."""
        files: ImageFiles = self._catalog.load("web_images")
        return files

    def _load_encoder(self, device: str) -> "Encoder":
        """Load the encoder that computed the descriptors, according to their attributes."""
        from car_retrieval.models.descriptor import network_of, pick_device
        from car_retrieval.models.encoder import Encoder, with_features_of

        checkpoint = self._attributes.get("checkpoint", "best")
        if checkpoint == "best":
            net = self._load_source("model")
        else:
            net = network_of(self._load_source("checkpoints")[checkpoint])
        settings = self._attributes["encoder"]
        net = with_features_of(net, settings)
        return Encoder(net.to(pick_device(device)), settings["scales"], settings["flip"]).eval()

    def load_index(self) -> "LopqIndex | None":
        """Load the LOPQ index, if there is one of these descriptors."""
        if not self._versions("lopq_index"):
            return None
        signed = self._catalog.load("lopq_index")
        index: LopqIndex = signed.index
        return index if self._belongs_to_descriptors(signed.signature) else None

    def _load_threshold(self) -> float | None:
        """Load the match threshold, if there is one for these descriptors without re-ranking."""
        if not self._versions("no_match_threshold"):
            return None
        stored = self._catalog.load("no_match_threshold")
        valid = self._belongs_to_descriptors(stored) and stored["reranking"] is None
        return stored["threshold"] if valid else None

    def _belongs_to_descriptors(self, signature: Mapping[str, Any]) -> bool:
        """Check that an artifact was computed from these descriptors of these photos."""
        return all(signature.get(name) == self._attributes[name] for name in ("encoder", "photos"))

    def _load_source(self, name: str) -> Any:
        """Load the latest version of a dataset that is not newer than the descriptors."""
        last = self.descriptors.path.parent.name
        version = next((version for version in self._versions(name) if version <= last), None)
        if version is None:
            raise FileNotFoundError(
                f"gallery_descriptors of {last} need a version of {name} that is not newer, and "
                "there is none: run the whole job again with `kedro run`"
            )
        return self._catalog.load(name, version)

    def _versions(self, name: str) -> list[str]:
        """List the versions of a dataset, newest first."""
        dataset = self._catalog[name]
        assert isinstance(dataset, AbstractVersionedDataset)
        try:
            return dataset.list_versions(full_path=False)
        except VersionNotFoundError:
            return []


@cache
def catalog_config(env: str | None, folder: Path) -> Mapping[str, Any]:
    """Read the catalog entries of the artifacts, with absolute paths.

    The parameters of the pipeline encoding are added as the entry `encoding`.
    """
    project = find_kedro_project(folder) or folder
    arguments: dict[str, Any] = CONFIG_LOADER_ARGS
    loader = OmegaConfigLoader(str(project / "conf"), env, **arguments)
    entries = loader["catalog"]
    catalog = {name: entries[name] for name in (*WATCHED, *SOURCES)}
    for entry in catalog.values():
        for key in {"filepath", "added"}.intersection(entry):
            entry[key] = (project / Path(entry[key]).expanduser()).as_posix()
    encoding = {"type": "MemoryDataset", "data": loader["parameters"]["encoding"]}
    return catalog | {"encoding": encoding}
