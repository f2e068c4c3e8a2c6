"""List, check, pack and split the photos."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from car_retrieval.data import photo_table
from car_retrieval.data.fingerprint import digest
from car_retrieval.data.near_duplicates import near_copies, near_elsewhere, near_groups, near_in
from car_retrieval.data.protocols import valid_protocol
from car_retrieval.data.splits import EXCLUDED, TRAIN, VALID, split_classes, split_gallery
from car_retrieval.gallery.listing import with_changes
from car_retrieval.gallery.store import GalleryStore
from car_retrieval.images.inspect import inspect_all
from car_retrieval.images.pack import Packing, pack
from car_retrieval.io.matrix import MatrixStream
from car_retrieval.metrics.verification import sample_pairs
from car_retrieval.models.proposed_boxes import with_proposed_boxes
from car_retrieval.models.weights import pixels_of
from car_retrieval.params import DataParams, EvaluationParams, TrainingParams
from car_retrieval.search.sizes import changes

log = logging.getLogger(__name__)

IN_GALLERY = "photos that are also in the gallery"
NEAR_GALLERY = "photos that are in the gallery as another file"
IN_QUERIES = "photos that are among the queries more than once"


def select_gallery(
    web_nature: pd.DataFrame,
    web_images: Mapping[str, bytes],
    gallery_store: GalleryStore,
    params: DataParams,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """List the gallery: web photos of the front views that can be read, and the store's changes.

    Returns:
        `gallery_photos`, whose Index is its row; `rear_photos`; and the problems found.
    """
    if web_nature.empty:
        raise ValueError("there is no gallery photo: the list is empty")
    usable, unusable = _listed(web_nature, params)
    front = photo_table.select_views(usable, params.front_views)
    if front.empty:
        raise ValueError(f"no gallery photo has a viewpoint of {params.front_views}")
    front = with_changes(front, gallery_store.changes())
    photos, found = _readable(front, web_images, unusable, len(web_nature), params)
    labelled = bool(photos["Class"].notna().any())
    alike = photos if labelled else photos.assign(Class=0)
    twins, kept = photo_table.duplicates(alike), "kept on one side" if labelled else "kept"
    problems = [
        found,
        photo_table.problems(twins[~twins["Conflict"]], kept, "exact duplicate"),
        photo_table.problems(
            twins[twins["Conflict"]],
            "gallery only" if params.twins == "exclude" else "kept",
            "same photo under several classes",
        ),
        photo_table.problems(
            photos[near_copies(alike, params.near_duplicates)], kept, "near-duplicate"
        ),
        photo_table.problems(
            photos[near_elsewhere(alike, params.near_duplicates)],
            "kept",
            "near-duplicate under another class",
        ),
    ]
    if "Year" in photos:
        undated = photos[photos["Year"].isna()]
        problems.append(
            photo_table.problems(undated, "year left empty", "year unknown or impossible")
        )
    if "View Point" in web_nature:
        rear = photo_table.select_views(web_nature, params.rear_views)
    else:
        rear = web_nature.iloc[:0]
    rear = photo_table.numbered(rear.drop(columns="Problem", errors="ignore"))
    return photos, rear, pd.concat(problems, ignore_index=True)


def select_queries(
    surveillance_nature: pd.DataFrame, query_images: Mapping[str, bytes], params: DataParams
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """List the queries: the photos of the chosen list that can be read; none of an empty list.

    Returns:
        `query_photos`, whose Index is its row; and the problems found.
    """
    chosen = surveillance_nature
    if params.queries == "test":
        if "List" not in chosen:
            raise ValueError("data_processing.queries: test needs CompCars' surveillance lists")
        chosen = chosen[chosen["List"] == "test"]
        if chosen.empty:
            raise ValueError(
                "data_processing.queries: test needs the file test_surveillance.txt beside "
                "sv_make_model_name.mat in sv_data/; it is missing or empty: put it there, or set "
                "the parameter to all"
            )
    usable, unusable = _listed(chosen, params)
    return _readable(usable, query_images, unusable, len(chosen), params)


def report_problems(
    gallery: pd.DataFrame,
    queries: pd.DataFrame,
    gallery_problems: pd.DataFrame,
    query_problems: pd.DataFrame,
    params: DataParams,
    evaluation: EvaluationParams,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """List every problem with its photo, and count each kind.

    Args:
        gallery: the listed gallery.
        queries: the listed queries.
        gallery_problems: what was found wrong in the gallery.
        query_problems: what was found wrong in the queries.
        params: says what near-duplicates are.
        evaluation: says whether test queries search the gallery, or each other.
    """
    collections = {"gallery": gallery_problems, "queries": query_problems}
    labelled = bool(gallery["Class"].notna().any())
    each_other = evaluation.search_in == "queries"
    copies = queries[queries["Hash"].isin(gallery["Hash"])]
    near = queries[near_in(queries, gallery, params.near_duplicates)]
    flattered = [
        (IN_GALLERY, "also in the gallery", copies),
        (NEAR_GALLERY, "in the gallery as another file", near),
    ]
    if each_other:
        groups = near_groups(queries, params.near_duplicates)
        twice = queries[queries.groupby(["Class", groups])["Hash"].transform("size") > 1]
        flattered.append((IN_QUERIES, "also among the queries", twice))
    tables = [found.assign(Collection=name) for name, found in collections.items()]
    for _, problem, found in flattered:
        tables.append(photo_table.problems(found, "kept", problem).assign(Collection="queries"))
    table = pd.concat(tables, ignore_index=True)
    report: dict[str, Any] = {
        "gallery": {"photos": len(gallery), "classes": int(gallery["Class"].nunique())},
        "queries": {"photos": len(queries), "classes": int(queries["Class"].nunique())},
    }
    report["queries"]["photos without a class in the gallery"] = int(
        (~queries["Class"].isin(gallery["Class"])).sum()
    )
    if queries.empty:
        log.warning("there are no query photos: some gallery photos search the others")
    for name, _, found in flattered:
        report["queries"][name] = len(found)
        if len(found):
            fault = "trained" if each_other and name != IN_QUERIES else "find themselves"
            log.warning(
                "%d of %d query photos %s, which inflates the scores: '%s' in data_report; "
                "rejected_images names them",
                *(len(found), len(queries), fault, name),
            )
    if queries.empty or not labelled:
        pass
    elif each_other and not queries["Class"].duplicated().any():
        log.warning("no two query photos are of one class: there will be no scores of queries")
    elif not each_other and not queries["Class"].isin(gallery["Class"]).any():
        log.warning(
            "no query photo is of a class in the gallery: there will be no scores of queries; "
            "evaluation.search_in: queries lets them search each other"
        )
    searchers = {
        name: (own.kind, own.model_dump(exclude={"kind", "rerank"}))
        for name, own in evaluation.searchers.items()
    }
    if said := changes(searchers, len(gallery)):
        log.info("sizes of indexes follow the %d gallery photos: %s", len(gallery), said)
    for name, found in collections.items():
        report[name]["problems"] = found["Problem"].value_counts().to_dict()
    return table[["Collection", "Path", "Problem", "Action"]], report


def pack_images(
    photos: pd.DataFrame,
    images: Mapping[str, bytes],
    params: DataParams,
    training: TrainingParams,
) -> MatrixStream:
    """Make the photos squares in a matrix uint8 [n, 3, R, R] whose row is the photo's Index.

    Its attributes are `photos`, the digest of the list, and `packing`, how it was made.
    """
    boxes = None if params.crop == "none" else photo_table.boxes_of(photos)
    packing = _packing(params, training)
    blocks = pack(images, photos["Path"].tolist(), boxes, packing, params.workers)
    return MatrixStream(blocks, {"photos": digest(photos), "packing": asdict(packing)})


def _packing(params: DataParams, training: TrainingParams) -> Packing:
    """Packing by the parameters, or else as the network's weights expect."""
    pixels = pixels_of(training.arch)
    return Packing(
        params.image_size or pixels.size,
        params.fill,
        params.crop,
        pixels.interpolation if params.interpolation == "weights" else params.interpolation,
        pixels.centre if params.fit == "centre" else None,
    )


def split_photos(
    gallery: pd.DataFrame, queries: pd.DataFrame, previous: pd.DataFrame, params: DataParams
) -> pd.DataFrame:
    """Split the gallery into training and validation photos.

    Photos that the previous split drew by the same parameters keep their side, so that a network
    can be evaluated on a gallery that has grown since its training. Copies of queries do neither.

    Args:
        gallery: `gallery_photos`; without classes, all train (a whitening).
        queries: `query_photos`.
        previous: the newest split; empty if there is none.
        params: how to draw.

    Returns:
        Index, Class, split; Path and Hash say of which photos, Draw by which parameters.
    """
    draw = f"{params.validate_by} {params.valid_ratio} {params.seed}"
    if gallery["Class"].isna().any():
        split = gallery[["Index", "Class"]].assign(split=TRAIN)
    else:
        divide = split_classes if params.validate_by == "class" else split_gallery
        grouped = gallery.assign(Group=near_groups(gallery, params.near_duplicates))
        earlier = gallery["Hash"].map(_sides(previous, draw))
        split = divide(grouped, params.valid_ratio, params.twins == "keep", params.seed, earlier)
        split.loc[gallery["Hash"].isin(queries["Hash"]), "split"] = EXCLUDED
    return split.assign(Path=gallery["Path"], Hash=gallery["Hash"], Draw=draw)


def _sides(previous: pd.DataFrame, draw: str) -> pd.Series:
    """Return `train` or `valid` by Hash, of a split that was drawn by the same parameters."""
    if not {"Hash", "split", "Draw"} <= set(previous):
        return pd.Series(dtype=str)
    kept = previous[(previous["Draw"] == draw) & previous["split"].isin([TRAIN, VALID])]
    return kept.drop_duplicates("Hash").set_index("Hash")["split"]


def make_valid_pairs(split: pd.DataFrame, params: DataParams) -> np.ndarray:
    """Draw verification pairs int64 [m, 3]: a query, a photo that it searches, same class.

    There is none without photos that validate, or in a collection of one class.
    """
    valid, searched = valid_protocol(split)
    if not valid.isin(searched).any() or searched.nunique() < 2:
        return np.empty((0, 3), np.int64)
    return sample_pairs(valid, searched, params.seed)


def _listed(photos: pd.DataFrame, params: DataParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The photos that their list could place, and the others, which must not be too many."""
    unusable = photo_table.unusable(photos)
    photo_table.refuse_too_many(unusable, len(photos), params.max_rejected_fraction)
    return photos[~photos["Path"].isin(unusable["Path"])], unusable


def _readable(
    photos: pd.DataFrame,
    images: Mapping[str, bytes],
    unusable: pd.DataFrame,
    listed: int,
    params: DataParams,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The photos that can be read, and all problems: also the list's, which count with them."""
    inspection = inspect_all(images, photos["Path"].tolist(), params.workers, params.truncated)
    readable, found = photo_table.readable_photos(
        photos, inspection, params.max_rejected_fraction, getattr(images, "root", None)
    )
    if params.crop == "auto":
        readable = with_proposed_boxes(readable, images, params.workers)
    found = pd.concat([unusable, found], ignore_index=True)
    left_out = found[found["Action"] == "left out"]
    photo_table.refuse_too_many(left_out, listed, params.max_rejected_fraction)
    for line in photo_table.by_kind(left_out):
        log.warning("left out: %s", line)
    for line in photo_table.by_kind(found[found["Action"] == "kept"]):
        log.warning("kept: %s", line)
    return readable, found
