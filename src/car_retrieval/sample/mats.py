"""The two MATLAB tables of names, nested as `scipy.io.loadmat` finds them in the release."""

from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

from car_retrieval.sample.models import CarModel

# savemat writes the platform and the date into the 116 bytes of free text that open a file.
HEADER = b"MATLAB 5.0 MAT-file, Platform: car_retrieval, drawn from a seed".ljust(116)


def make_model_names(models: Sequence[CarModel]) -> bytes:
    """`make_model_name.mat`: row i holds the name of id i + 1, an unused id an empty cell."""
    makes = {car.make_id: car.make_name for car in models}
    names = {car.model_id: car.model_name for car in models}
    return _mat({"make_names": _column(makes), "model_names": _column(names)})


def surveillance_names(models: Sequence[CarModel]) -> bytes:
    """`sv_make_model_name.mat`: row i is folder i + 1: make, model, web model id.

    The ids are uint8 up to 255 and uint16 above, as MATLAB saved them.
    """
    cells = np.empty((len(models), 3), dtype=object)
    for row, car in enumerate(models):
        cells[row] = [
            np.array([car.make_name]),
            np.array([car.model_name]),
            np.array([[car.model_id]], dtype=np.min_scalar_type(car.model_id)),
        ]
    return _mat({"sv_make_model_name": cells})


def _column(names: Mapping[int, str]) -> NDArray[np.object_]:
    cells = np.empty((max(names), 1), dtype=object)
    for row in range(len(cells)):
        name = names.get(row + 1)
        cells[row, 0] = np.array([name]) if name else np.zeros((0, 0), dtype=np.uint8)
    return cells


def _mat(variables: dict[str, NDArray[np.object_]]) -> bytes:
    stream = BytesIO()
    # Not compressed: builds of zlib differ in the bytes they choose.
    savemat(stream, variables, do_compression=False)
    return HEADER + stream.getvalue()[len(HEADER) :]
