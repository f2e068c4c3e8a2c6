"""Parameters of the pipeline `evaluation`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from car_retrieval.params.base import Count, Params, without_null


class LopqSearcher(Params):
    """Search by LOPQ; see `car_retrieval.search.lopq.fit.LopqParams`."""

    kind: Literal["lopq"] = Field(description="locally optimised product quantisation")
    splits: Literal[1, 2] = Field(2, description="parts of a vector with centroids of their own")
    coarse: Count = Field(8, description="centroids of a split")
    subquantisers: Count = Field(32, description="code words of a vector")
    bits: Literal[4, 8] = Field(8, description="of a code word")
    codebooks: Literal["local", "shared"] = Field("local", description="a cell's own, or of all")
    pca: Count | None = Field(None, description="components kept; none: the vectors as they are")
    whiten: bool = Field(False, description="the components of `pca`")
    quota: Count | None = Field(None, description="points looked at, at least; none: all")
    rerank: Annotated[int, Field(ge=0)] = Field(100, description="candidates; 0: none")


class FaissSearcher(Params):
    """Search by an index of faiss's factory."""

    kind: Literal["faiss"] = Field(description="an index of faiss's factory")
    factory: Annotated[str, Field(min_length=1)] = Field(description="faiss's factory string")
    search: dict[str, float] = Field({}, description="faiss's own names, such as nprobe")
    rerank: Annotated[int, Field(ge=0)] = Field(100, description="candidates; 0: none")


SearcherParams = Annotated[LopqSearcher | FaissSearcher, Field(discriminator="kind")]


def _not_exact(name: str) -> str:
    if name == "exact":
        raise ValueError("exact search is always there: choose another name")
    return name


SearcherName = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$"), AfterValidator(_not_exact)]


class ExpansionParams(Params):
    """Averages with nearest photos; see `car_retrieval.search.expansion`."""

    kind: Literal["expansion"] = Field(description="query expansion")
    query_k: Annotated[int, Field(ge=0)] = Field(5, description="hits averaged with a query (QE)")
    database_k: Annotated[int, Field(ge=0)] = Field(
        0, description="neighbours averaged with a gallery photo (DBA)"
    )
    alpha: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        3.0, description="exponent of a similarity that makes it a weight"
    )


class KReciprocalParams(Params):
    """Re-ranking by common neighbours; see `car_retrieval.search.kreciprocal.KReciprocal`."""

    kind: Literal["kreciprocal"] = Field(description="k-reciprocal re-ranking")
    k1: Count = Field(20, description="nearest neighbours that may be reciprocal")
    k2: Count = Field(6, description="photos, itself included, that a set is averaged over")
    weight: Annotated[float, Field(gt=0, le=1)] = Field(0.3, description="of the original distance")
    candidates: Count = Field(200, description="first hits that are ranked anew")


RerankingParams = Annotated[ExpansionParams | KReciprocalParams, Field(discriminator="kind")]


class EvaluationParams(Params):
    """Search and scores (`parameters_evaluation.yml`)."""

    search_in: Literal["gallery", "queries"] = Field(
        "gallery", description="what test queries search; queries: each other, leave one out"
    )
    k: Count = Field(20, description="of mAP@k")
    recall_at: Annotated[list[Count], Field(min_length=1)] = Field(
        [1, 5, 20], description="ranks up to which a hit counts"
    )
    whole_ranking: bool = Field(False, description="also give mAP, of the whole ranking")
    min_class_size: Count | None = Field(
        58, description="gallery photos a class of `filtered` has; none: no filtered scores"
    )
    batch_size: Count = Field(1024, description="queries searched at a time")
    reranking: RerankingParams | None = Field(None, description="of exact search's hits")
    shown_queries: Count = Field(5, description="rows of a picture gallery")
    false_match_rate: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.01, description="unknown cars that may get a match, not `no match`"
    )
    seed: Annotated[int, Field(ge=0)] = Field(7, description="of pairs, searchers and the map")
    searchers: Annotated[dict[SearcherName, SearcherParams], BeforeValidator(without_null)] = Field(
        {}, description="compared with exact search; null leaves one out"
    )
