"""Models in the file format of the original LOPQ (github.com/yahoo/lopq, `.lopq`)."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf.message import DecodeError

from car_retrieval.search.lopq.fit import LopqParams
from car_retrieval.search.lopq.model import LopqModel

# The original's lopq_model.proto, as a descriptor: nothing is generated, no compiler is needed.
SCHEMA = """
name: "lopq_model.proto"  package: "com.flickr.vision.lopq"
message_type { name: "Vector"
  field { name: "values" number: 1 label: LABEL_REPEATED type: TYPE_FLOAT options { packed: true } }
}
message_type { name: "Matrix"
  field { name: "values" number: 1 label: LABEL_REPEATED type: TYPE_FLOAT options { packed: true } }
  field { name: "shape" number: 2 label: LABEL_REPEATED type: TYPE_UINT32 }
}
message_type { name: "LOPQModelParams"
  field { name: "D" number: 1 label: LABEL_OPTIONAL type: TYPE_UINT32 }
  field { name: "V" number: 2 label: LABEL_OPTIONAL type: TYPE_UINT32 }
  field { name: "M" number: 3 label: LABEL_OPTIONAL type: TYPE_UINT32 }
  field { name: "num_subquantizers" number: 4 label: LABEL_OPTIONAL type: TYPE_UINT32 }
  field { name: "Cs" number: 5 label: LABEL_REPEATED type: TYPE_MESSAGE type_name: "Matrix" }
  field { name: "Rs" number: 6 label: LABEL_REPEATED type: TYPE_MESSAGE type_name: "Matrix" }
  field { name: "mus" number: 7 label: LABEL_REPEATED type: TYPE_MESSAGE type_name: "Vector" }
  field { name: "subs" number: 8 label: LABEL_REPEATED type: TYPE_MESSAGE type_name: "Matrix" }
}
"""
_POOL = descriptor_pool.DescriptorPool()
_POOL.AddSerializedFile(
    text_format.Parse(SCHEMA, descriptor_pb2.FileDescriptorProto()).SerializeToString()
)
LOPQModelParams: Any = message_factory.GetMessageClass(
    _POOL.FindMessageTypeByName("com.flickr.vision.lopq.LOPQModelParams")
)

ORTHONORMAL = 1e-3  # largest error of a product of a rotation's rows


def import_lopq(path: str | Path) -> LopqModel:
    """Read a model that the original's `export_proto` or `export_lopq` wrote.

    Use it as `LopqIndex(params_of(model), model)`.

    Raises:
        ValueError: the file is no such model, is damaged, or holds what `LopqModel` cannot.
    """
    message = LOPQModelParams()
    try:
        message.ParseFromString(Path(path).read_bytes())
        coarse, rotations, books = map(_matrices, (message.Cs, message.Rs, message.subs))
        means = _stacked(np.array(vector.values, np.float32) for vector in message.mus)
        _check(message, coarse, rotations, means, books)
    except (DecodeError, ValueError) as error:
        raise ValueError(f"{path} is not a usable model of the original LOPQ: {error}") from None
    _, count, dimension = coarse.shape
    return LopqModel(
        coarse,
        means.reshape(coarse.shape),
        rotations.reshape(2, count, dimension, dimension),
        books.reshape(2, 1, len(books) // 2, *books.shape[1:]),
    )


def export_lopq(model: LopqModel, path: str | Path) -> None:
    """Write a model that the original's `load_proto` reads.

    Raises:
        ValueError: the format has no words for the model: it has one split, a projection, or
            codebooks of each centroid's own.
    """
    if lacking := [what for what, present in _not_in_format(model).items() if present]:
        raise ValueError(
            f"{path}: the format of the original LOPQ cannot hold {' and '.join(lacking)}; fit "
            "with splits = 2, codebooks = shared and without pca"
        )
    splits, count, dimension = model.coarse.shape
    books = model.codebooks.reshape(-1, *model.codebooks.shape[3:])
    message = LOPQModelParams(
        D=splits * dimension, V=count, M=len(books), num_subquantizers=books.shape[1]
    )
    rotations = model.rotations.reshape(-1, dimension, dimension)
    for field, matrices in (("Cs", model.coarse), ("Rs", rotations), ("subs", books)):
        for matrix in matrices:
            getattr(message, field).add(values=matrix.ravel().tolist(), shape=matrix.shape)
    for mean in model.means.reshape(-1, dimension):
        message.mus.add(values=mean.tolist())
    Path(path).write_bytes(message.SerializeToString())


def params_of(model: LopqModel) -> LopqParams:
    """The parameters that describe an imported model; it looks at all points (no quota)."""
    splits, count, _ = model.coarse.shape
    _, _, subspaces, words, _ = model.codebooks.shape
    return LopqParams(splits, count, splits * subspaces, words.bit_length() - 1, "shared")


def _not_in_format(model: LopqModel) -> dict[str, bool]:
    return {
        "one split": model.splits != 2,
        "pca": model.pca is not None,
        "local codebooks": model.codebooks.shape[1] != 1,
    }


def _matrices(messages: Any) -> np.ndarray:
    return _stacked(
        np.array(matrix.values, np.float32).reshape(tuple(matrix.shape)) for matrix in messages
    )


def _stacked(arrays: Iterable[np.ndarray]) -> np.ndarray:
    parts = list(arrays)
    return np.stack(parts) if parts else np.empty(0, np.float32)


def _check(
    message: Any, coarse: np.ndarray, rotations: np.ndarray, means: np.ndarray, books: np.ndarray
) -> None:
    if coarse.ndim != 3 or len(coarse) != 2 or books.ndim != 3 or not coarse.size:
        raise ValueError("it lacks coarse centroids (Cs) of two splits or codebooks (subs)")
    _, count, dimension = coarse.shape
    subspaces, words, width = books.shape
    expected = {
        "Rs": (rotations, (2 * count, dimension, dimension)),
        "mus": (means, (2 * count, dimension)),
        "subs": (books, (subspaces, words, 2 * dimension // max(1, subspaces))),
    }
    for name, (array, shape) in expected.items():
        if array.shape != shape:
            raise ValueError(f"{name} has the shape {array.shape} instead of {shape}")
    if subspaces % 2 or subspaces * width != 2 * dimension:
        raise ValueError(f"{2 * dimension} dimensions are not cut into M = {subspaces} parts")
    said = {"D": 2 * dimension, "V": count, "M": subspaces, "num_subquantizers": words}
    for name, true in said.items():
        if message.HasField(name) and getattr(message, name) != true:
            raise ValueError(f"it says {name} = {getattr(message, name)}, its arrays {true}")
    if words not in (16, 256) or (words == 16 and subspaces % 4):
        raise ValueError(
            f"M = {subspaces} codebooks of {words} words; a code word has 8 bits (256 words), or "
            "4 bits (16 words) with M a multiple of 4"
        )
    if not all(np.isfinite(array).all() for array in (coarse, rotations, means, books)):
        raise ValueError("it holds a value that is not finite")
    with np.errstate(over="ignore", invalid="ignore"):
        products = rotations @ rotations.swapaxes(1, 2)
    if not (np.abs(products - np.eye(dimension, dtype=np.float32)) <= ORTHONORMAL).all():
        raise ValueError("Rs holds a matrix that is no rotation")
