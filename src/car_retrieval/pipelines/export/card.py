"""Gather the facts of the model card."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from car_retrieval.data.attributes import class_names
from car_retrieval.data.known_photos import GALLERY, NEW
from car_retrieval.data.splits import TRAIN, VALID
from car_retrieval.io.matrix import Matrix
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorNet
from car_retrieval.models.encoder import network_of_descriptors
from car_retrieval.params import EvaluationParams
from car_retrieval.pipelines.export.nodes import about
from car_retrieval.reporting.metric_meanings import remarks
from car_retrieval.reporting.model_card import model_card

WORST = 5  # classes that are named
COSTS = ("single", "batch q/s 2", "fit", "add", "peak")  # of searchers, that the report tells


Facts = dict[str, Any]
"""Variables of the card's template."""


def tell_network(
    gallery_descriptors: Matrix,
    model: DescriptorNet,
    checkpoints: Mapping[int, Checkpoint],
    training_history: pd.DataFrame,
) -> Facts:
    """Gather what made the gallery's descriptors, and how it was trained."""
    net = network_of_descriptors(gallery_descriptors, model, checkpoints)
    provenance = net.provenance
    report = provenance["report"]
    seen = training_history["epoch"] <= report["epoch"]
    return (
        {"untrained": None}
        | about(gallery_descriptors)
        | {
            "dimension": gallery_descriptors.shape[1],
            "parameters": sum(weights.numel() for weights in net.parameters()),
            "recipe": {"training": provenance["parameters"]},
            "report": report,
            "chosen": gallery_descriptors.attributes["checkpoint"] != "best",
            "epochs": len(training_history),
            "images": int(training_history.loc[seen, "images"].sum()),
            "versions": provenance["versions"],
        }
    )


def tell_data(
    gallery_photos: pd.DataFrame,
    query_photos: pd.DataFrame,
    split: pd.DataFrame,
    training_roles: pd.DataFrame,
    data_report: dict[str, Any],
    by_class: pd.DataFrame,
) -> Facts:
    """Gather which photos and classes trained, validated and were queried."""
    classes = {side: set(rows["Class"]) for side, rows in split.groupby("split")}
    roles = training_roles[training_roles["Collection"] == GALLERY]
    trained = set(roles.loc[roles["Role"] == TRAIN, "Class"])
    counts = {
        TRAIN: int((roles["Role"] == TRAIN).sum()),
        VALID: int((split["split"] == VALID).sum()),
        NEW: int((roles["Role"] == NEW).sum()),
    }
    problems = [
        {"collection": name, "problem": problem, "photos": count}
        for name, counts in data_report.items()
        for problem, count in counts["problems"].items()
    ]
    return {
        "data": data_report,
        "problems": pd.DataFrame(problems),
        "split": counts,
        "trained_classes": len(trained),
        "queried_classes": len(by_class),
        "queried_untrained": len(set(by_class["Class"]) - trained),
        "validated_untrained": len(classes.get(VALID, set()) - trained),
        "worst": _worst(by_class, pd.concat([gallery_photos, query_photos])),
    }


def tell_scores(
    summary: pd.DataFrame,
    searchers: pd.DataFrame,
    no_match_threshold: dict[str, Any],
    params: EvaluationParams,
) -> Facts:
    """Gather scores, searchers and the no-match threshold."""
    rates = no_match_threshold["splits"].items()
    return {
        "summary": summary.drop(columns="unscored", errors="ignore"),
        "remarks": list(remarks(summary)),
        "searchers": searchers[
            [name for name in map(str, searchers) if not name.startswith(COSTS)]
        ],
        "reranking": no_match_threshold["reranking"],
        "threshold": no_match_threshold["threshold"],
        "false_match_rate": no_match_threshold["false_match_rate"],
        "rates": pd.DataFrame([{"split": name} | own for name, own in rates]),
        "leave_one_out": params.search_in == "queries",
    }


def write_model_card(network: Facts, data: Facts, scores: Facts) -> str:
    """Write the model card of what described the gallery, from the results alone."""
    return model_card(_front_matter(network, scores["summary"]), **network, **data, **scores)


def _front_matter(facts: Facts, summary: pd.DataFrame) -> dict[str, Any]:
    """Metadata that model hubs read from a card: https://huggingface.co/docs/hub/model-cards."""
    arch, collection = facts["encoder"]["arch"], facts["collection"]
    results = [
        {
            "task": {"type": "image-retrieval"},
            "dataset": {
                "name": f"{collection}, {row['split']}, {row['protocol']}",
                "type": collection,
                "split": row["split"],
            },
            "metrics": [
                {"type": name, "value": value}
                for name, value in row.items()
                if name not in ("split", "protocol") and not str(name).startswith("legacy")
                if not pd.isna(value)
            ],
        }
        for row in summary.to_dict("records")
    ]
    return {
        "library_name": "car_retrieval",
        "pipeline_tag": "image-feature-extraction",
        "tags": ["image-retrieval", "metric-learning", arch],
        "model-index": [{"name": f"{collection}-{arch}", "results": results}],
    }


def _worst(by_class: pd.DataFrame, photos: pd.DataFrame) -> pd.DataFrame:
    """The classes with the lowest score, by name."""
    score = next(name for name in map(str, by_class) if name.startswith("mAP@"))
    worst = by_class.astype({score: float}).nsmallest(WORST, score)
    named = worst.assign(Class=worst["Class"].map(class_names(photos)))
    return named[["Class", "Queries", "Relevant", score]]
