"""Dataset of search indexes as safetensors files."""

import json

from car_retrieval.datasets.preview import JSONPreview
from car_retrieval.datasets.versioned import LocalVersionedDataset
from car_retrieval.search.storage import SignedIndex, load_index, save_index, stored_signature


class SearchIndexDataset(LocalVersionedDataset):
    """Index with the signature of its descriptors; contains no code, so that loading is safe."""

    def save(self, data: SignedIndex) -> None:
        """Write the index."""
        save_index(data.index, self.save_path, data.signature)

    def load(self) -> SignedIndex:
        """Read the index."""
        path = self.load_path
        return SignedIndex(load_index(path), stored_signature(path))

    def preview(self) -> JSONPreview:
        """Show kind, size and signature."""
        saved = self.load()
        about = {
            "kind": saved.index.kind,
            "vectors": len(saved.index),
            "bytes per vector": round(saved.index.bytes_per_vector, 1),
        }
        return JSONPreview(json.dumps(about | saved.signature))
