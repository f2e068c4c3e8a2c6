"""Dataset of tables as Parquet files."""

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from car_retrieval.data.embedding_table import TableStream
from car_retrieval.datasets.preview import JSONPreview
from car_retrieval.datasets.versioned import LocalVersionedDataset
from car_retrieval.io.atomic import atomic

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset


class ParquetTableDataset(LocalVersionedDataset):
    """`.parquet` file, saved from a `TableStream` batch by batch, loaded as a pyarrow dataset.

    A stream that fails leaves no version.
    """

    def save(self, data: TableStream) -> None:
        """Write the table, one row group per batch."""
        from pyarrow.parquet import ParquetWriter

        path = self.save_path
        try:
            words = [field.name for field in data.schema if str(field.type) == "string"]
            with (
                atomic(path) as part,
                ParquetWriter(
                    part, data.schema, compression="zstd", use_dictionary=words
                ) as writer,
            ):
                for batch in data.batches:
                    writer.write_batch(batch)
        except BaseException:
            with suppress(OSError):  # the folder has other files
                path.parent.rmdir()
            raise

    def load(self) -> "Dataset":
        """Open the table; columns and rows are read on demand."""
        import pyarrow.dataset

        return pyarrow.dataset.dataset(self.load_path, format="parquet")

    def preview(self) -> JSONPreview:
        """Show rows, columns and metadata."""
        table = self.load()
        columns = {field.name: str(field.type) for field in table.schema}
        metadata = {
            name.decode(): value.decode() for name, value in (table.schema.metadata or {}).items()
        }
        return JSONPreview(json.dumps({"rows": table.count_rows()} | columns | metadata))
