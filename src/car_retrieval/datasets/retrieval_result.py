"""Dataset of search results as numpy archives."""

import numpy as np
import pandas as pd

from car_retrieval.datasets.preview import TablePreview, table_preview
from car_retrieval.datasets.versioned import LocalVersionedDataset
from car_retrieval.io.atomic import atomic
from car_retrieval.search.result import RetrievalResult


class RetrievalResultDataset(LocalVersionedDataset):
    """`.npz` file of query_ids int64 [q], hits int64 [q, k] and scores float32 [q, k]."""

    def save(self, data: RetrievalResult) -> None:
        """Write the result."""
        with atomic(self.save_path) as part, part.open("wb") as file:
            np.savez(file, query_ids=data.query_ids, hits=data.hits, scores=data.scores)

    def load(self) -> RetrievalResult:
        """Read and validate the result."""
        with np.load(self.load_path, allow_pickle=False) as archive:
            return RetrievalResult(**archive)

    def preview(self) -> TablePreview:
        """Show the first hits of some queries with their scores."""
        result = self.load()
        table = pd.DataFrame({"Query": result.query_ids})
        for rank, (hits, scores) in enumerate(
            zip(result.hits.T[:5], result.scores.T, strict=False)
        ):
            table[f"hit {rank + 1}"] = [
                f"{hit} ({score:.3f})" if hit >= 0 else ""
                for hit, score in zip(hits, scores, strict=True)
            ]
        return table_preview(table)
