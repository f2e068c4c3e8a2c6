"""Dataset of the newest version of a table, if there is one."""

import pandas as pd
from kedro.io.core import VersionNotFoundError

from car_retrieval.datasets.whole_file import CSVDataset


class PreviousTableDataset(CSVDataset):
    """`CSVDataset` that is an empty table before the first version."""

    def load(self) -> pd.DataFrame:
        """Read the newest version."""
        try:
            return super().load()
        except VersionNotFoundError:
            return pd.DataFrame()

    def _exists(self) -> bool:
        return True
