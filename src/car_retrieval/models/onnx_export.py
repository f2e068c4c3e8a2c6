"""Export of the encoder to ONNX, for use without this project and PyTorch."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from car_retrieval.models.encoder import Encoder
from car_retrieval.models.whitening import Whitening

if TYPE_CHECKING:
    from onnx import ModelProto

INPUT, OUTPUT = "images", "descriptors"
OPSET = 20
LARGEST = 2**31 - 2**20  # maximum bytes of weights; protobuf files are limited to 2 GiB


class WhitenedEncoder(nn.Module):
    """Encoder and whitening as one network."""

    def __init__(self, encoder: Encoder, whitening: Whitening) -> None:
        super().__init__()
        self.encoder = encoder
        self.projection: nn.Linear | None = None
        if pca := whitening.projection:
            self.projection = nn.Linear(*pca.components.shape[::-1])
            weights = {"weight": pca.components, "bias": -pca.components @ pca.mean}
            self.projection.load_state_dict({n: torch.tensor(w) for n, w in weights.items()})

    def forward(self, images: Tensor) -> Tensor:
        """Compute unit vectors float32 [n, D] of images uint8 [n, 3, R, R]."""
        described: Tensor = self.encoder(images)
        return F.normalize(self.projection(described)) if self.projection else described


def to_onnx(network: WhitenedEncoder) -> "ModelProto":
    """Export a network to ONNX, with a dynamic batch size.

    Args:
        network: network to export, on the CPU.

    Returns:
        Model from `images` uint8 [n, 3, R, R], RGB, to `descriptors` float32 [n, D] of unit length.

    Raises:
        ValueError: the extra `export` is not installed, or the weights do not fit into one file.
    """
    try:
        import onnxruntime  # noqa: F401  # tries the file
        import onnxscript  # noqa: F401  # torch translates with it
    except ImportError:
        raise ValueError("ONNX needs the extra export: pip install -e '.[export]'") from None
    size = sum(weights.nbytes for weights in network.state_dict().values())
    if size > LARGEST:
        raise ValueError(f"{size / 1e9:.1f} GB of weights exceed the 2 GiB limit of an ONNX file")
    side = network.encoder.net.config.image_size
    exported = torch.onnx.export(
        network.eval(),
        (torch.zeros(2, 3, side, side, dtype=torch.uint8),),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert exported is not None
    model: ModelProto = exported.model_proto
    return model


def file_of(model: "ModelProto", metadata: Mapping[str, str]) -> bytes:
    """Serialise a model with metadata."""
    for name, value in metadata.items():
        model.metadata_props.add(key=name, value=value)
    return model.SerializeToString()


def largest_angle(model: "ModelProto", network: WhitenedEncoder, images: np.ndarray) -> float:
    """Compare an exported model with its network.

    Args:
        model: exported model.
        network: original network, on the CPU.
        images: uint8 [n, 3, R, R]; encoded as a batch of the first and a batch of the others.

    Returns:
        Largest angle between the two descriptors of an image, in degrees.
    """
    from onnxruntime import InferenceSession

    providers = ["CPUExecutionProvider"]
    session = InferenceSession(model.SerializeToString(), providers=providers)
    angles = [0.0]
    for pixels in filter(len, (images[:1], images[1:])):
        with torch.inference_mode():
            wanted = network(torch.from_numpy(pixels)).numpy()
        angles.append(_angles(session.run([OUTPUT], {INPUT: pixels})[0], wanted).max())
    return float(np.degrees(np.max(angles)))  # NaN if a descriptor is NaN


def _angles(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compute angles between unit vectors by chord, accurate for small angles."""
    chords = np.linalg.norm(np.subtract(some, others, dtype=np.float64), axis=1)
    return 2 * np.arcsin(np.minimum(1, chords / 2))
