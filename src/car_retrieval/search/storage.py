"""Storage of indexes as safetensors files of arrays, without code."""

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
    """Index with the signature of its descriptors."""

    index: Index
    signature: dict[str, Any] = field(default_factory=dict)


def save_index(index: Index, path: str | Path, signature: dict[str, Any] | None = None) -> None:
    """Write an index atomically.

    Args:
        index: index to save.
        path: file to write; its folder is created.
        signature: signature of its descriptors.
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
        path: file of the index.
        signature: expected signature of its descriptors; None: not checked.

    Raises:
        ValueError: the file is not an index, is damaged, or has other descriptors.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            text, checksum = (file.metadata()[name] for name in ("about", "checksum"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not an index: create it again ({error})") from None
    if _checksum(text, arrays) != checksum:
        raise ValueError(f"{path} is damaged (its checksum differs): create it again")
    about = json.loads(text)
    kind, stored = about.pop("kind"), about.pop("signature")
    if signature is not None and json.loads(json.dumps(signature)) != stored:
        raise ValueError(f"{path} holds other descriptors: {stored} against {signature}")
    try:
        return KINDS[kind].from_state(arrays, about)
    except (KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path} is not an index: create it again ({error})") from None


def stored_signature(path: str | Path) -> dict[str, Any]:
    """Read the signature saved with an index."""
    with safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()["about"])["signature"]


def _checksum(about: str, arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.blake2b(about.encode(), digest_size=8)
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(arrays[name].data)
    return digest.hexdigest()
