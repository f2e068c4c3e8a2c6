"""Indexes on disk: one safetensors file of arrays, which holds no code."""

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from car_retrieval.io.atomic import atomic
from car_retrieval.search.faiss_index import FaissIndex
from car_retrieval.search.index import Index
from car_retrieval.search.lopq.index import LopqIndex

KINDS: dict[str, type[Index]] = {kind.kind: kind for kind in (LopqIndex, FaissIndex)}


@dataclass(frozen=True)
class SignedIndex:
    """An index, and the signature of the descriptors that it holds."""

    index: Index
    signature: dict[str, Any] = field(default_factory=dict)


def save_index(index: Index, path: str | Path, signature: dict[str, Any] | None = None) -> None:
    """Write an index so that `path` either holds all of it or does not change.

    Args:
        index: what to save.
        path: the file to make; its folder is created.
        signature: of the descriptors that it holds.
    """
    path = Path(path)
    arrays, about = index.state()
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    about |= {"kind": index.kind, "signature": signature or {}}
    text = json.dumps(about, sort_keys=True)
    metadata = {"about": text, "checksum": _checksum(text, arrays)}
    with atomic(path) as part:
        save_file(arrays, part, metadata=metadata)
        with part.open("rb+") as file:
            os.fsync(file.fileno())


def load_index(path: str | Path, signature: dict[str, Any] | None = None) -> Index:
    """Read an index.

    Args:
        path: the file.
        signature: of the descriptors that it should hold; None: not compared.

    Raises:
        ValueError: the file is no index, is damaged, or holds other descriptors.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            text, checksum = (file.metadata()[name] for name in ("about", "checksum"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not an index, make it again ({error})") from None
    if _checksum(text, arrays) != checksum:
        raise ValueError(f"{path} is damaged: its checksum differs, make it again")
    about = json.loads(text)
    kind, stored = about.pop("kind"), about.pop("signature")
    if signature is not None and json.loads(json.dumps(signature)) != stored:
        raise ValueError(f"{path} holds other descriptors: {stored} against {signature}")
    try:
        return KINDS[kind].from_state(arrays, about)
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path} is not an index, make it again ({error})") from None


def stored_signature(path: str | Path) -> dict[str, Any]:
    """The signature that was saved with an index."""
    with safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()["about"])["signature"]


def _checksum(about: str, arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.blake2b(about.encode(), digest_size=8)
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(arrays[name].data)
    return digest.hexdigest()
