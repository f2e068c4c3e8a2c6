"""Table of photos with their descriptors, for other tools."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from car_retrieval.data.attributes import makes_of, models_of, years_of
from car_retrieval.io.matrix import Matrix

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_BYTES = 2**24  # descriptors per row group, which a reader loads at once


@dataclass(frozen=True)
class TableStream:
    """Table being written to disk.

    Attributes:
        schema: columns and metadata.
        batches: batches of rows, in order; consumed once.
    """

    schema: "pa.Schema"
    batches: "Iterator[pa.RecordBatch]"


def embedding_table(
    photos: pd.DataFrame, descriptors: Matrix, metadata: Mapping[str, str]
) -> TableStream:
    """Join photos and their descriptors.

    Args:
        photos: n rows of Index, Path, Class, and any columns of make, model and year.
        descriptors: float32 [n, D], read block by block.
        metadata: metadata of the schema.

    Returns:
        Index int64, Path string, Class int64, Make, Model string and Year int64 (null if unknown),
        and Descriptor, a list of D float32.

    Raises:
        ValueError: the extra `export` is not installed.
    """
    try:
        import pyarrow as pa
    except ImportError:
        raise ValueError("Parquet needs the extra export: pip install -e '.[export]'") from None
    length = descriptors.shape[1]
    columns = {
        "Index": (photos["Index"], pa.int64()),
        "Path": (photos["Path"], pa.string()),
        "Class": (photos["Class"], pa.int64()),
        "Make": (makes_of(photos), pa.string()),
        "Model": (models_of(photos), pa.string()),
        "Year": (years_of(photos), pa.int64()),
    }
    kinds = {name: kind for name, (_, kind) in columns.items()}
    schema = pa.schema(
        kinds | {"Descriptor": pa.list_(pa.float32(), length)},
        metadata={**metadata},
    )

    def batches() -> "Iterator[pa.RecordBatch]":
        rows = max(1, GROUP_BYTES // (descriptors.dtype.itemsize * length))
        for number, block in enumerate(descriptors.blocks(rows)):
            part = slice(number * rows, number * rows + len(block))
            arrays = [pa.array(values.iloc[part], kind) for values, kind in columns.values()]
            flat = pa.array(np.ascontiguousarray(block, np.float32).ravel())
            arrays.append(pa.FixedSizeListArray.from_arrays(flat, length))
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    return TableStream(schema, batches())
