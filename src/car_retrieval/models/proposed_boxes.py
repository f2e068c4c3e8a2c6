"""Proposed boxes of photos without a labelled box, for packing."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd
from tqdm import tqdm

from car_retrieval.data.compcars import BOX
from car_retrieval.images.crop import Box, scaled
from car_retrieval.images.decode import decode
from car_retrieval.images.stream import in_order, read
from car_retrieval.models.car_box import DECODED, propose_box

log = logging.getLogger(__name__)


def with_proposed_boxes(
    photos: pd.DataFrame, files: Mapping[str, bytes], workers: int
) -> pd.DataFrame:
    """Fill missing boxes with proposed ones.

    Args:
        photos: readable photos: Path and, if the list has boxes, x1, y1, x2, y2.
        files: bytes of the photos by path.
        workers: number of threads.

    Returns:
        Photos with x1, y1, x2, y2; missing if no car is detected, or it fills the photo.

    Raises:
        FileNotFoundError: the package of the detector's weights is not installed.
    """
    known = photos.reindex(columns=[*photos.columns, *(side for side in BOX if side not in photos)])
    known = known.astype(dict.fromkeys(BOX, "Int64"))
    paths = known.loc[known["x1"].isna(), "Path"]

    def propose(number: int) -> Box | None:
        decoded = decode(read(files, paths.iloc[number]), DECODED)
        box, (height, width) = propose_box(decoded.pixels), decoded.pixels.shape[:2]
        return box and scaled(box, width, height, decoded.width, decoded.height)

    proposals = in_order(propose, len(paths), workers, window=4 * workers)
    shown = tqdm(proposals, "detecting cars", len(paths), unit="image", disable=None)
    found = {row: box for row, box in zip(paths.index, shown, strict=True) if box is not None}
    for number, side in enumerate(BOX):
        known.loc[list(found), side] = np.array([box[number] for box in found.values()], np.int64)
    log.info("detected a car in %d of %d photos without a labelled box", len(found), len(paths))
    return known
