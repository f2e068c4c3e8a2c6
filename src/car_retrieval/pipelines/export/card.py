"""Gather the facts of the model card."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from car_retrieval.data.attributes import class_names
from car_retrieval.data.fingerprint import digest
from car_retrieval.data.splits import EXCLUDED, TRAIN, VALID
from car_retrieval.io.matrix import Matrix
from car_retrieval.models.checkpoint import Checkpoint
from car_retrieval.models.descriptor import DescriptorNet
from car_retrieval.params import EvaluationParams
from car_retrieval.pipelines.export.nodes import about, check_photos, network_behind
from car_retrieval.reporting.model_card import model_card

WORST = 5  # classes that are named
COSTS = ("single", "batch q/s 2", "fit", "add", "peak")  # of searchers, that the report tells


def write_model_card(
    database: Matrix,
    car_front: pd.DataFrame,
    test_index: pd.DataFrame,
    split: pd.DataFrame,
    data_report: dict[str, Any],
    model: DescriptorNet,
    checkpoints: Mapping[int, Checkpoint],
    training_history: pd.DataFrame,
    summary: pd.DataFrame,
    by_class: pd.DataFrame,
    searchers: pd.DataFrame,
    no_match_threshold: dict[str, Any],
    evaluation: EvaluationParams,
) -> str:
    """Write the model card of what described the gallery, from the results alone."""
    check_photos(database, car_front)
    facts = {"untrained": None} | about(database)
    if any(no_match_threshold.get(name) != facts[name] for name in ("encoder", "photos")):
        raise ValueError(
            f"the scores are of other descriptors than {database.path.name}: run the pipeline "
            "evaluation again"
        )
    net = network_behind(database, model, checkpoints)
    if net.provenance["data"] != digest(split, split.columns.tolist()):
        raise ValueError(
            "split is not the one that the network was trained on: run the job again with `kedro "
            "run`"
        )
    classes = {side: set(rows["Class"]) for side, rows in split.groupby("split")}
    trained = classes[TRAIN] if facts["untrained"] is None else set()
    provenance = net.provenance
    report = provenance["report"]
    seen = training_history["epoch"] <= report["epoch"]
    problems = [
        {"collection": name, "problem": problem, "photos": count}
        for name, counts in data_report.items()
        for problem, count in counts["problems"].items()
    ]
    return model_card(
        _front_matter(facts, summary),
        **facts,
        dimension=database.shape[1],
        parameters=sum(weights.numel() for weights in net.parameters()),
        data=data_report,
        problems=pd.DataFrame(problems),
        split=split["split"].value_counts().reindex([TRAIN, VALID, EXCLUDED], fill_value=0),
        trained_classes=len(trained),
        queried_classes=len(by_class),
        queried_untrained=len(set(by_class["Class"]) - trained),
        validated_untrained=len(classes.get(VALID, set()) - trained),
        recipe={"training": provenance["parameters"]},
        report=report,
        chosen=database.attributes["checkpoint"] != "best",
        epochs=len(training_history),
        images=int(training_history.loc[seen, "images"].sum()),
        summary=summary,
        searchers=searchers[[name for name in map(str, searchers) if not name.startswith(COSTS)]],
        reranking=no_match_threshold["reranking"],
        threshold=no_match_threshold["threshold"],
        false_match_rate=no_match_threshold["false_match_rate"],
        rates=pd.DataFrame(
            [{"split": name} | own for name, own in no_match_threshold["splits"].items()]
        ),
        leave_one_out=evaluation.search_in == "queries",
        worst=_worst(by_class, pd.concat([car_front, test_index])),
        versions=provenance["versions"],
    )


def _front_matter(facts: dict[str, Any], summary: pd.DataFrame) -> dict[str, Any]:
    """What model hubs read of a card: https://huggingface.co/docs/hub/model-cards."""
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
    worst = by_class.nsmallest(WORST, score)
    named = worst.assign(Class=worst["Class"].map(class_names(photos)))
    return named[["Class", "Queries", "Relevant", score]]
