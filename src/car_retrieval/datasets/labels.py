"""Dataset of photo classes by Index, as CSV."""

import pandas as pd

from car_retrieval.datasets.preview import TablePreview, table_preview
from car_retrieval.datasets.versioned import LocalVersionedDataset
from car_retrieval.io.atomic import atomic


class LabelsDataset(LocalVersionedDataset):
    """CSV of Index and Class, loaded as a Series of Class indexed by Index."""

    def save(self, data: pd.Series) -> None:
        """Write the labels."""
        with atomic(self.save_path) as part:
            data.rename("Class").rename_axis("Index").to_csv(part)

    def load(self) -> pd.Series:
        """Read the labels."""
        return pd.read_csv(self.load_path, index_col="Index", dtype="int64")["Class"]

    def preview(self) -> TablePreview:
        """Show the first photos."""
        return table_preview(self.load().reset_index())
