"""The pipelines by name."""

from kedro.pipeline import Pipeline


def register_pipelines() -> dict[str, Pipeline]:
    """The main job is the default; those that are none of its stages run when asked for."""
    from car_retrieval.pipelines import (
        ablation,
        data_processing,
        diagnosis,
        encoding,
        evaluation,
        export,
        reporting,
        sample_data,
        searchers,
        training,
        zero_shot,
    )

    stages = {
        "data_processing": data_processing.create_pipeline(),
        "training": training.create_pipeline(),
        "encoding": encoding.create_pipeline(),
        "evaluation": evaluation.create_pipeline(),
        "searchers": searchers.create_pipeline(),
        "diagnosis": diagnosis.create_pipeline(),
        "reporting": reporting.create_pipeline(),
    }
    return {
        "__default__": sum(stages.values(), start=Pipeline([])),
        "sample_data": sample_data.create_pipeline(),
        "ablation": ablation.create_pipeline(),
        "export": export.create_pipeline(),
        "zero_shot": zero_shot.create_pipeline(),
        **stages,
    }
