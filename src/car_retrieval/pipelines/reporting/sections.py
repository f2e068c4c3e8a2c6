"""Write the sections of the report, and the report."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from car_retrieval.io.matrix import Matrix
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorNet
from car_retrieval.params import EvaluationParams
from car_retrieval.pipelines.reporting.provenance import tell_provenance
from car_retrieval.reporting.metric_meanings import remarks
from car_retrieval.reporting.report import Section, html_report
from car_retrieval.training.early_stopping import at_chance

CURVES = {
    "recall": "R@k: share of queries with a right hit among the first k",
    "roc": "Verification: same model or not",
    "similarity": "Similarities of pairs of one class and of two",
    "sizes": "Mean AP of a class against its gallery photos",
}
UNSCORED = "Not scored: {}. The photos show queries and what is most similar to them."
UNSCORED_PHOTOS = "Queries and their most similar photos, neither right nor wrong"
GRIDS = {"best": "Best queries", "median": "Median queries", "worst": "Worst queries"}
HEAT_CAPTION = (
    "Heat maps of median queries, with their first right and first wrong match. Bright areas make "
    "the two descriptors similar, each picture scaled to its own maximum; the number is the "
    "similarity before any re-ranking"
)
SEARCHED = {
    "gallery": "Queries: the query photos or, if there are none, some gallery photos; gallery: the "
    "other gallery photos",
    "queries": "Leave one out: each query photo searches all other query photos",
    "valid": "Queries: the validation photos; gallery: the training photos, or, where whole "
    "classes validate, the other validation photos",
}
SEARCHERS = (
    "Compressed indexes against exact search, for the test queries of all classes: what they find "
    "and what they cost. recall@k is the share of exact search's first k hits that a searcher "
    "finds; equally similar hits count. Queries per second are the best of a few repeats on this "
    "machine, in one batch and one by one; peak memory is counted from before the searcher was "
    "built."
)
DIAGNOSIS = (
    "Confusions count first hits: how many queries of a model find another model first. Scores by "
    "attribute cover all classes, as far as the lists have the attribute. On the map, nearby "
    "photos have similar descriptors; distances between far groups mean nothing."
)
NO_MATCH = (
    "A search answers “no match” when its first hit is less similar than {threshold:.4g}. At this "
    "threshold at most {rate:.1%} of the validation photos still get a match once their class is "
    "removed from the gallery (FPIR, false positive identification rate); TPIR is the share of "
    "cars in the gallery that get a right one. The row test shows whether the threshold holds for "
    "the query photos: FPIR with their class removed, FPIR unknown for cars of no class in the "
    "gallery. {holds}"
)
UNMEASURED = (
    "No threshold could be measured: that needs validation photos of at least two classes. A "
    "search always answers with the most similar photos."
)
HOLDS_FOR = {
    "image": "Training saw the classes of the validation photos: cars of classes that it never saw "
    "get a match more often than this. If that matters, measure the threshold on such classes, "
    "with data_processing.validate_by: class.",
    "untrained": "The network was not trained on these photos, so this holds for cars of other "
    "classes too.",
    "class": "Training never saw the classes of the validation photos, so this holds for cars of "
    "unseen classes; cars of trained classes get a match less often than they could.",
}
PROBLEMS = "{} of {} rows of rejected_images.csv, the first of each problem."
SHOWN_PROBLEMS = 10
MADE_WITH = "Names under training and evaluation are parameters of kedro run --params."
TRAINING = (
    "Loss and validation scores by epoch. Training describes each photo once, at one size and "
    "without whitening; the results above use the descriptors that are searched (mirror image, "
    "scales and whitening as in encoding), so the two differ."
)
SEARCHERS_CAPTION = "Recall against queries per second of a batch, one thread"


def write_results(
    summary: pd.DataFrame,
    test_all: Mapping[str, bytes],
    test_filtered: Mapping[str, bytes],
    valid_all: Mapping[str, bytes],
    valid_filtered: Mapping[str, bytes],
    test_heat: bytes,
    valid_heat: bytes,
    params: EvaluationParams,
) -> list[Section]:
    """Write a section a split and protocol: its curves, and its photos folded.

    Test has a section without scores, too: photos and what is most similar to them.
    """
    figures = {
        ("test", "all"): (test_all, test_heat),
        ("test", "filtered"): (test_filtered, None),
        ("valid", "all"): (valid_all, valid_heat),
        ("valid", "filtered"): (valid_filtered, None),
    }
    selections = {
        "all": "",
        "filtered": f", of the classes with at least {params.min_class_size} gallery photos only",
    }
    searched = {"valid": SEARCHED["valid"], "test": SEARCHED[params.search_in]}
    unscored = summary.get("unscored", pd.Series("", summary.index)).fillna("")
    sections = []
    for split, protocol, why in zip(summary["split"], summary["protocol"], unscored, strict=True):
        if why and split == "valid":
            continue
        drawn, heat = figures[split, protocol]
        photos = [(caption, drawn[kind]) for kind, caption in GRIDS.items()]
        curves = [(caption, drawn[kind]) for kind, caption in CURVES.items()]
        text = f"{searched[split]}{selections[protocol]}."
        if why:
            text, curves = f"{text} {UNSCORED.format(why)}", []
            photos = [(UNSCORED_PHOTOS, drawn["median"])]
        sections.append(
            Section(
                f"{split.capitalize()}, {protocol}",
                text,
                curves,
                photos=photos + ([(HEAT_CAPTION, heat)] if heat else []),
            )
        )
    return sections


def write_diagnosis(
    no_match_threshold: dict[str, Any],
    gallery_descriptors: Matrix,
    test_confusions: bytes,
    valid_confusions: bytes,
    attributes_figure: bytes,
    descriptor_map_figure: bytes,
    open_set_figure: bytes,
    params: EvaluationParams,
) -> list[Section]:
    """Write what goes wrong, and when a search may answer "no match"."""
    untrained = "untrained" in gallery_descriptors.attributes
    no_match = Section("No match", UNMEASURED)
    if no_match_threshold["threshold"] is not None:
        text = NO_MATCH.format(
            threshold=no_match_threshold["threshold"],
            rate=no_match_threshold["false_match_rate"],
            holds=HOLDS_FOR["untrained" if untrained else no_match_threshold["validated_by"]],
        )
        no_match = Section(
            "No match",
            text,
            [("Known cars answered rightly against unknown cars answered", open_set_figure)],
            _rates(no_match_threshold),
        )
    return [
        no_match,
        Section(
            "Diagnosis",
            DIAGNOSIS,
            [
                (f"mAP@{params.k} by attribute", attributes_figure),
                ("Map of some descriptors, the most queried models named", descriptor_map_figure),
            ],
            photos=[
                ("Most frequent confusions of the query photos", test_confusions),
                ("Most frequent confusions, validation", valid_confusions),
            ],
        ),
    ]


def write_run(
    searchers: pd.DataFrame,
    searchers_figure: bytes,
    training_history: pd.DataFrame,
    training_curves: bytes,
    gallery_descriptors: Matrix,
    model: DescriptorNet,
    checkpoints: Mapping[int, Checkpoint],
    params: EvaluationParams,
) -> list[Section]:
    """Write what searchers cost, how training went, and what all was made with."""
    made_with = tell_provenance(gallery_descriptors, model, checkpoints, params)
    warning = at_chance(training_history)
    training = Section(
        "Training",
        TRAINING + (f"\n\n{warning[0].upper()}{warning[1:]}." if warning else ""),
        [("Training curves", training_curves)],
    )
    return [
        Section("Searchers", SEARCHERS, [(SEARCHERS_CAPTION, searchers_figure)], searchers),
        *([training] if "AUC" in training_history else []),  # else nothing rated the network
        Section("Made with", MADE_WITH, facts=made_with),
    ]


def write_report(
    summary: pd.DataFrame,
    results: list[Section],
    run: list[Section],
    diagnosis: list[Section],
    training_history: pd.DataFrame,
    gallery_descriptors: Matrix,
    rejected_images: pd.DataFrame,
    params: EvaluationParams,
) -> str:
    """Write one HTML page of the whole run, the most asked for first."""
    first, *others = results
    *costs, made_with = run
    sections = [first, *costs, *diagnosis, *others, *_problems(rejected_images), made_with]
    about = _about(gallery_descriptors, training_history)
    if warning := at_chance(training_history):
        about += f" · {warning}"
    if params.reranking:
        about += f" · hits re-ranked: {params.reranking.kind}"
    about += "".join(f". {remark}" for remark in remarks(summary))
    if params.search_in == "queries":
        about += f" · test: leave one out{_seen_in_training(summary)}"
    summary = summary.drop(columns="unscored", errors="ignore").dropna(axis="columns", how="all")
    filtered = summary.loc[summary["protocol"] == "filtered", "split"]
    scored = summary.loc[summary["queries"] > 0, "split"].unique()
    unfiltered = [split for split in scored if split not in set(filtered)]
    if unfiltered and params.min_class_size is not None:
        about += (
            f". No filtered scores of {' and '.join(unfiltered)}: no class that is queried has "
            f"{params.min_class_size} gallery photos; lower evaluation.min_class_size"
        )
    return html_report("Car retrieval", summary, sections, about)


def _problems(rejected_images: pd.DataFrame) -> list[Section]:
    """List the first photos of each problem: unreadable ones, copies, near-duplicates."""
    if rejected_images.empty:
        return []
    shown = rejected_images.groupby("Problem", sort=False).head(SHOWN_PROBLEMS)
    text = PROBLEMS.format(len(shown), len(rejected_images))
    return [Section("Problems with photos", text, table=shown)]


def _seen_in_training(summary: pd.DataFrame) -> str:
    """A warning, if training saw classes that leave one out is scored on."""
    test = summary[(summary["split"] == "test") & (summary["protocol"] == "all")]
    trained, classes = test["trained_classes"].sum(), test["classes"].sum()
    if not trained:
        return ""
    return (
        f". Warning: {trained} of the {classes} classes of the "
        "queries trained the network, so that the scores of test cannot be compared with those of "
        "classes that training never saw"
    )


def _rates(measured: dict[str, Any]) -> pd.DataFrame:
    """Tabulate the rates at the no-match threshold, a row a split."""
    rows = [{"split": split} | rates for split, rates in measured["splits"].items()]
    return pd.DataFrame(rows).replace({None: np.nan}).infer_objects()


def _about(descriptors: Matrix, history: pd.DataFrame) -> str:
    """Collection, run and network."""
    collection, version = descriptors.origin
    encoder = descriptors.attributes["encoder"]
    trained = descriptors.attributes.get("untrained", f"{len(history)} epochs")
    return (
        f"Collection {collection} · descriptors of {version} · {encoder['arch']} · "
        f"{encoder['image_size']} px · {trained}"
    )
