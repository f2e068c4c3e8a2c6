"""Classes of photos by Index, as CSV."""

import os

import pandas as pd

from car_retrieval.datasets.preview import TablePreview, table_preview
from car_retrieval.datasets.versioned import LocalVersionedDataset


class LabelsDataset(LocalVersionedDataset):
    """A CSV of Index and Class, loaded as the Series of Class indexed by Index."""

    def save(self, data: pd.Series) -> None:
        """Write the labels."""
        path = self.save_path
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        data.rename("Class").rename_axis("Index").to_csv(part)
        os.replace(part, path)

    def load(self) -> pd.Series:
        """Read the labels."""
        return pd.read_csv(self.load_path, index_col="Index", dtype="int64")["Class"]

    def preview(self) -> TablePreview:
        """The first photos."""
        return table_preview(self.load().reset_index())
