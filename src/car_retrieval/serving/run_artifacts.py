"""Open the newest results of a project that were made of one another."""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog
from kedro.io.core import AbstractVersionedDataset, VersionNotFoundError
from kedro.utils import find_kedro_project

from car_retrieval.data.fingerprint import digest
from car_retrieval.io.matrix import Matrix
from car_retrieval.io.memory import keep_freed_memory
from car_retrieval.settings import CONFIG_LOADER_ARGS

if TYPE_CHECKING:
    import pandas as pd

    from car_retrieval.models.encoder import Encoder
    from car_retrieval.search.index import Index
    from car_retrieval.serving.retriever import Retriever

OPENED = ("gallery_descriptors", "lopq_index", "no_match_threshold")


def open_retriever(env: str | None = None, project: Path | str = ".") -> "Retriever":
    """Open the newest results of an environment for search by photo.

    Args:
        env: of the configuration; None: KEDRO_ENV, or the sample.
        project: its folder, which holds conf/ and data/, or one within.

    Raises:
        FileNotFoundError: there are no results yet.
        ValueError: they do not belong together; the message says what to run.
    """
    return Results(env, project).retriever()


def newest_versions(env: str | None = None, project: Path | str = ".") -> tuple[str, ...]:
    """The versions that `open_retriever` would look at, by the names of files alone.

    Returns:
        The newest of each of `OPENED`; "" where there is none.

    Raises:
        FileNotFoundError: there are no results yet.
    """
    config = config_of(env or os.getenv("KEDRO_ENV"), Path(project).resolve())
    files = [Path(config[name]["filepath"]) for name in OPENED]
    newest = [
        max((path.parent.name for path in file.glob(f"*/{file.name}")), default="")
        for file in files
    ]
    if not newest[0]:
        chosen = f" --env={env}" if env else ""
        raise FileNotFoundError(
            f"there are no photos to search in yet: run `kedro run{chosen}` first"
        )
    return tuple(newest)


def evaluated(versions: tuple[str, ...]) -> bool:
    """Whether the newest descriptors have been: index and threshold are not older than they."""
    return min(versions) == versions[0]


class Results:
    """What runs of an environment left to search with, loaded as far as it is asked for.

    The newest descriptors decide. What they were made of is of their version or of one before: a
    run at work, which has written a network and no descriptors yet, changes nothing.

    Args:
        env: of the configuration; None: KEDRO_ENV, or the sample.
        project: its folder, which holds conf/ and data/, or one within.

    Attributes:
        versions: of what is opened, as `newest_versions` gives them.
        vectors: descriptors of the gallery.
        photos: of the gallery; the row is the Index.

    Raises:
        FileNotFoundError: there are no results yet.
        ValueError: photos and descriptors do not belong together.
    """

    def __init__(self, env: str | None = None, project: Path | str = ".") -> None:
        self.versions = newest_versions(env, project)  # before loading: what comes later is newer
        config = config_of(env or os.getenv("KEDRO_ENV"), Path(project).resolve())
        self._catalog = DataCatalog.from_config({**config})
        self.vectors: Matrix = self._catalog.load("gallery_descriptors")
        self._about = self.vectors.attributes
        self.photos: pd.DataFrame = self._made_of("gallery_photos")
        if self._about.get("photos") != digest(self.photos):
            raise ValueError(
                "gallery_descriptors describe other photos than gallery_photos lists: run the "
                "pipeline encoding again"
            )
        if "crop" not in (self._about.get("encoder", {}).get("packing") or {}):
            raise ValueError(
                "gallery_descriptors do not say how their photos were packed (older version): "
                "run `kedro run --pipelines=data_processing,encoding,evaluation`"
            )

    def retriever(self) -> "Retriever":
        """Load the network and the index, check them, and open all for search.

        Raises:
            ValueError: the network or the whitening is not what the descriptors were made with.
        """
        keep_freed_memory()
        from car_retrieval.images.pack import Packing
        from car_retrieval.params import EncodingParams
        from car_retrieval.serving.retriever import Retriever

        params = EncodingParams.model_validate(self._catalog.load("encoding"))
        encoder, whitening = self._encoder(params.device), self._made_of("whitening")
        packing = self._about["encoder"]["packing"]
        made_with = {"whitening": whitening.fingerprint(), "packing": packing}
        if encoder.signature() | made_with != self._about["encoder"]:
            raise ValueError(
                "gallery_descriptors were made with another network or whitening than the newest: "
                "run the pipelines encoding and evaluation again"
            )
        return Retriever(
            self.versions,
            self.photos,
            self._catalog.load("web_images"),
            self.vectors,
            encoder,
            whitening,
            Packing(**packing),
            self._index(),
            self._threshold(),
            params.batch_size,
        )

    def _encoder(self, device: str) -> "Encoder":
        """The network that the descriptors say they were made with, and how it looks at photos."""
        from car_retrieval.models.descriptor import network_of, pick_device
        from car_retrieval.models.encoder import Encoder

        checkpoint = self._about.get("checkpoint", "best")
        if checkpoint == "best":
            net = self._made_of("model")
        else:
            net = network_of(self._made_of("checkpoints")[checkpoint])
        own = self._about["encoder"]
        return Encoder(net.to(pick_device(device)), own["scales"], own["flip"]).eval()

    def _index(self) -> "Index | None":
        """The index of these descriptors, if there is one."""
        if not self._versions("lopq_index"):
            return None
        signed = self._catalog.load("lopq_index")
        return signed.index if self._is_of(signed.signature) else None

    def _threshold(self) -> float | None:
        """The similarity below which there is no match, if it is of these descriptors."""
        if not self._versions("no_match_threshold"):
            return None
        stored = self._catalog.load("no_match_threshold")
        fits = self._is_of(stored) and stored["reranking"] is None
        return stored["threshold"] if fits else None

    def _is_of(self, made: Mapping[str, Any]) -> bool:
        """Whether something was made of these descriptors of these photos."""
        return all(made.get(name) == self._about[name] for name in ("encoder", "photos"))

    def _made_of(self, name: str) -> Any:
        """The newest version of a dataset that the descriptors can have been made of."""
        last = self.vectors.path.parent.name
        version = next((own for own in self._versions(name) if own <= last), None)
        if version is None:
            raise FileNotFoundError(
                f"there is no {name} of {last} or before, which gallery_descriptors were made of: "
                "run the job again with `kedro run`"
            )
        return self._catalog.load(name, version)

    def _versions(self, name: str) -> list[str]:
        """Newest first."""
        dataset = self._catalog[name]
        assert isinstance(dataset, AbstractVersionedDataset)
        try:
            return dataset.list_versions(full_path=False)
        except VersionNotFoundError:
            return []


@cache
def config_of(env: str | None, folder: Path) -> Mapping[str, Any]:
    """What the catalog says of the datasets that are opened, and `encoding`, its parameters.

    Paths are absolute.
    """
    project = find_kedro_project(folder) or folder
    arguments: dict[str, Any] = CONFIG_LOADER_ARGS
    loader = OmegaConfigLoader(str(project / "conf"), env, **arguments)
    names = [*OPENED, "gallery_photos", "web_images", "model", "checkpoints", "whitening"]
    everything = loader["catalog"]
    catalog = {name: everything[name] for name in names}
    for entry in catalog.values():
        entry["filepath"] = (project / Path(entry["filepath"]).expanduser()).as_posix()
    encoding = {"type": "MemoryDataset", "data": loader["parameters"]["encoding"]}
    return catalog | {"encoding": encoding}
