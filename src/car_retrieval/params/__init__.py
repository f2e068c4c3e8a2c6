"""All parameters with their types, bounds and descriptions; unknown names are errors."""

from car_retrieval.params.ablation import AblationParams
from car_retrieval.params.base import Params
from car_retrieval.params.data_processing import DataParams, SampleParams
from car_retrieval.params.encoding import EncodingParams, WhiteningParams
from car_retrieval.params.evaluation import (
    EvaluationParams,
    ExpansionParams,
    FaissSearcher,
    KReciprocalParams,
    LopqSearcher,
    RerankingParams,
    SearcherParams,
)
from car_retrieval.params.export import ExportParams
from car_retrieval.params.training import NETWORKS, AugmentationParams, Sampler, TrainingParams

GROUPS: dict[str, type[Params]] = {
    "sample_data": SampleParams,
    "data_processing": DataParams,
    "training": TrainingParams,
    "encoding": EncodingParams,
    "evaluation": EvaluationParams,
    "ablation": AblationParams,
    "export": ExportParams,
}

__all__ = [
    "GROUPS",
    "NETWORKS",
    "AblationParams",
    "AugmentationParams",
    "DataParams",
    "EncodingParams",
    "EvaluationParams",
    "ExpansionParams",
    "ExportParams",
    "FaissSearcher",
    "KReciprocalParams",
    "LopqSearcher",
    "Params",
    "RerankingParams",
    "SampleParams",
    "Sampler",
    "SearcherParams",
    "TrainingParams",
    "WhiteningParams",
]
