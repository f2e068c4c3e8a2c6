"""List, check, pack and split the photos."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from car_retrieval import listing
from car_retrieval.images.inspect import inspect_all
from car_retrieval.images.pack import pack
from car_retrieval.matrix import MatrixStream
from car_retrieval.metrics.verification import sample_pairs
from car_retrieval.params import DataParams
from car_retrieval.splits import VALID, split_gallery


def select_gallery(
    web_nature: pd.DataFrame, web_images: Mapping[str, bytes], params: DataParams
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """List the gallery: web photos of the front views that can be read.

    Returns:
        `car_front`, whose Index is its row; `car_rear`; and the problems found.
    """
    front = listing.select_views(web_nature, params.front_views)
    if front.empty:
        raise ValueError(f"no gallery photo has a viewpoint of {params.front_views}")
    photos, found = _readable(front, web_images, params)
    twins = listing.duplicates(photos)
    problems = [
        listing.unusable(web_nature),
        found,
        listing.problems(twins[~twins["Conflict"]], "kept on one side", "exact duplicate"),
        listing.problems(
            twins[twins["Conflict"]],
            "gallery only" if params.twins == "exclude" else "kept",
            "same photo under several classes",
        ),
    ]
    if "Year" in photos:
        undated = photos[photos["Year"].isna()]
        problems.append(listing.problems(undated, "year left empty", "year unknown or impossible"))
    if "View Point" in web_nature:
        rear = listing.select_views(web_nature, params.rear_views)
    else:
        rear = web_nature.iloc[:0]
    rear = listing.numbered(rear.drop(columns="Problem", errors="ignore"))
    return photos, rear, pd.concat(problems, ignore_index=True)


def select_queries(
    surveillance_nature: pd.DataFrame, query_images: Mapping[str, bytes], params: DataParams
) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    """List the queries: the photos of the chosen list that can be read.

    Returns:
        `test_index`, whose Index is its row; `test_set` int64 [n, 2] of Index and Class; and the
        problems found.
    """
    chosen = surveillance_nature
    if params.queries == "test":
        if "List" not in chosen:
            raise ValueError("data_processing.queries: test needs CompCars' surveillance lists")
        chosen = chosen[chosen["List"] == "test"]
    unusable = listing.unusable(chosen)
    chosen = chosen[~chosen["Path"].isin(unusable["Path"])]
    photos, found = _readable(chosen, query_images, params)
    labels = photos[["Index", "Class"]].to_numpy(np.int64)
    return photos, labels, pd.concat([unusable, found], ignore_index=True)


def report_problems(
    gallery: pd.DataFrame,
    queries: pd.DataFrame,
    gallery_problems: pd.DataFrame,
    query_problems: pd.DataFrame,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """List every problem with its photo, and count each kind."""
    collections = {"gallery": gallery_problems, "queries": query_problems}
    table = pd.concat(
        [found.assign(Collection=name) for name, found in collections.items()], ignore_index=True
    )
    report: dict[str, Any] = {
        "gallery": {"photos": len(gallery), "classes": int(gallery["Class"].nunique())},
        "queries": {"photos": len(queries), "classes": int(queries["Class"].nunique())},
    }
    report["queries"]["photos without a class in the gallery"] = int(
        (~queries["Class"].isin(gallery["Class"])).sum()
    )
    report["queries"]["photos that are also in the gallery"] = int(
        queries["Hash"].isin(gallery["Hash"]).sum()
    )
    for name, found in collections.items():
        report[name]["problems"] = found["Problem"].value_counts().to_dict()
    return table[["Collection", "Path", "Problem", "Action"]], report


def pack_images(
    photos: pd.DataFrame, images: Mapping[str, bytes], params: DataParams
) -> MatrixStream:
    """Letterbox the photos into a matrix uint8 [n, 3, R, R] whose row is the photo's Index.

    Its attribute `photos` is the digest of the list.
    """
    boxes = listing.boxes_of(photos) if params.crop_to_box else None
    blocks = pack(
        images, photos["Path"].tolist(), boxes, params.image_size, params.fill, params.workers
    )
    return MatrixStream(blocks, {"photos": listing.digest(photos)})


def split_photos(gallery: pd.DataFrame, params: DataParams) -> tuple[pd.DataFrame, np.ndarray]:
    """Split the gallery into training and validation photos.

    Returns:
        `split` (Index, Class, split; Path and Hash say of which photos); and `valid_for_test`
        int64 [n, 2], Index and Class of the validation photos.
    """
    split = split_gallery(gallery, params.valid_ratio, params.twins == "keep", params.seed)
    valid = split[split["split"] == VALID]
    if valid.empty:
        raise ValueError(
            f"no class has {params.valid_ratio} photos, so that none would validate: lower the "
            "parameter data_processing.valid_ratio"
        )
    named = split.assign(Path=gallery["Path"], Hash=gallery["Hash"])
    return named, valid[["Index", "Class"]].to_numpy(np.int64)


def make_valid_pairs(split: pd.DataFrame, params: DataParams) -> np.ndarray:
    """Draw verification pairs int64 [m, 3]: a validation photo, a training photo, same class."""
    labels = split.set_index("Index")["Class"]
    parts = {side: labels[(split["split"] == side).to_numpy()] for side in ("valid", "train")}
    return sample_pairs(parts["valid"], parts["train"], params.seed)


def _readable(
    photos: pd.DataFrame, images: Mapping[str, bytes], params: DataParams
) -> tuple[pd.DataFrame, pd.DataFrame]:
    inspection = inspect_all(images, photos["Path"].tolist(), params.workers)
    return listing.readable_photos(photos, inspection, params.max_rejected_fraction)
