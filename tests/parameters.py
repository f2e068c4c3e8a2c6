"""Parameters for tests: values that are named here do not follow `conf/base`."""

from typing import Any

from car_retrieval.params import (
    AblationParams,
    AugmentationParams,
    DataParams,
    EncodingParams,
    EvaluationParams,
    ExportParams,
    SampleParams,
    TrainingParams,
)

AUGMENTATION: dict[str, Any] = {
    "crop": 0.4,
    "rotation": 5.0,
    "flip": 0.5,
    "brightness": [0.25, 1.15],
    "contrast": 0.3,
    "saturation": 0.0,
    "hue": 0.5,
    "grey": 0.0,
    "blur": 0.3,
    "noise": 0.06,
    "erase": 0.0,
}
SAMPLE_DATA: dict[str, Any] = {
    "models": 30,
    "web_photos": 900,
    "surveillance_photos": 300,
    "surveillance_models": 20,
    "width": 192,
    "seed": 7,
}
DATA_PROCESSING: dict[str, Any] = {
    "front_views": [1, 4],
    "rear_views": [2, 5],
    "queries": "all",
    "image_size": None,
    "fit": "letterbox",
    "interpolation": "weights",
    "crop": "none",
    "fill": "gaussian",
    "truncated": "accept",
    "max_rejected_fraction": 0.01,
    "validate_by": "image",
    "valid_ratio": 7,
    "twins": "exclude",
    "near_duplicates": 5,
    "workers": 2,
    "seed": 7,
}
TRAINING: dict[str, Any] = {
    "arch": "resnet18",
    "weights": None,
    "dimension": None,
    "normalisation": "weights",
    "pooling": "gem",
    "neck": "none",
    "memory": 0,
    "epochs": 6,
    "passes_per_epoch": 1,
    "images_per_epoch": None,
    "batch_size": 32,
    "accumulation": 1,
    "lr": 0.001,
    "backbone_lr": 1.0,
    "loss_lr": 1.0,
    "warmup_epochs": 0.0,
    "schedule": "step",
    "lr_shrink": 0.9,
    "weight_decay": 0.02,
    "ema": 0.0,
    "frozen_blocks": 0,
    "freeze_bn": False,
    "precision": "float32",
    "compile": False,
    "checkpointing": False,
    "scale": 1.0,
    "augmentation": AUGMENTATION,
    "patience": None,
    "select_by": "mAP@k",
    "start_epoch": -1,
    "show_batch": 5,
    "k": 20,
    "device": "auto",
    "seed": 7,
}
ENCODING: dict[str, Any] = {
    "checkpoint": "best",
    "features": "head",
    "scales": [1.0],
    "flip": False,
    "whitening": {"kind": "auto", "dimension": None, "power": 1.0, "photos": 20000, "seed": 7},
    "batch_size": 64,
    "device": "auto",
}
EVALUATION: dict[str, Any] = {
    "search_in": "gallery",
    "k": 20,
    "recall_at": [1, 5, 20],
    "whole_ranking": False,
    "min_class_size": 58,
    "batch_size": 1024,
    "reranking": None,
    "shown_queries": 5,
    "false_match_rate": 0.01,
    "seed": 7,
    "searchers": {},
}
ABLATION: dict[str, Any] = {
    "runs": 1,
    "seed": 7,
    "budget": {"images": None, "seconds": None},
    "baseline": "default",
    "only": None,
    "recipes": {"default": {}},
}
EXPORT: dict[str, Any] = {"photos": 32, "tolerance": 0.01}


def of(group: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Values of a group, of which some are changed."""
    for name, whole in (("augmentation", AUGMENTATION), ("budget", ABLATION["budget"])):
        if isinstance(changes.get(name), dict):
            changes = changes | {name: whole | changes[name]}
    return globals()[group.upper()] | changes  # type: ignore[no-any-return]


def augmentation_params(**changes: Any) -> AugmentationParams:
    return AugmentationParams.model_validate(AUGMENTATION | changes)


def sample_params(**changes: Any) -> SampleParams:
    return SampleParams.model_validate(SAMPLE_DATA | changes)


def data_params(**changes: Any) -> DataParams:
    return DataParams.model_validate(DATA_PROCESSING | changes)


def training_params(**changes: Any) -> TrainingParams:
    return TrainingParams.model_validate(of("training", changes))


def encoding_params(**changes: Any) -> EncodingParams:
    return EncodingParams.model_validate(ENCODING | changes)


def evaluation_params(**changes: Any) -> EvaluationParams:
    return EvaluationParams.model_validate(EVALUATION | changes)


def ablation_params(**changes: Any) -> AblationParams:
    return AblationParams.model_validate(of("ablation", changes))


def export_params(**changes: Any) -> ExportParams:
    return ExportParams.model_validate(EXPORT | changes)
