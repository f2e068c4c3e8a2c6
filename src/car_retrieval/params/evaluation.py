"""Parameters of the pipeline `evaluation`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from car_retrieval.params.base import Count, Params, without_null


class LopqSearcher(Params):
    """Search by LOPQ; see `car_retrieval.search.lopq.fit.LopqParams`."""

    kind: Literal["lopq"] = Field(description="locally optimised product quantisation")
    splits: Literal[1, 2] = Field(2, description="parts of a vector with separate centroids")
    coarse: Count = Field(8, description="coarse centroids per split")
    subquantisers: Count = Field(32, description="code words per vector")
    bits: Literal[4, 8] = Field(8, description="bits per code word")
    codebooks: Literal["local", "shared"] = Field(
        "local", description="`local`: one per coarse centroid; `shared`: one per split"
    )
    pca: Count | None = Field(None, description="principal components kept; null: no PCA")
    whiten: bool = Field(False, description="scale the components of `pca` to unit variance")
    quota: Count | None = Field(None, description="minimum number of points scanned; null: all")
    rerank: Annotated[int, Field(ge=0)] = Field(
        100, description="candidates re-ranked exactly; 0: none"
    )


class FaissSearcher(Params):
    """Search by a faiss index."""

    kind: Literal["faiss"] = Field(description="faiss index")
    factory: Annotated[str, Field(min_length=1)] = Field(description="faiss's factory string")
    search: dict[str, float] = Field({}, description="faiss search parameters, such as nprobe")
    rerank: Annotated[int, Field(ge=0)] = Field(
        100, description="candidates re-ranked exactly; 0: none"
    )


SearcherParams = Annotated[LopqSearcher | FaissSearcher, Field(discriminator="kind")]


def _not_exact(name: str) -> str:
    if name == "exact":
        raise ValueError(
            "exact is reserved for exact search, which always runs: choose another name"
        )
    return name


SearcherName = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$"), AfterValidator(_not_exact)]


class ExpansionParams(Params):
    """Query expansion and database augmentation; see `car_retrieval.search.expansion`."""

    kind: Literal["expansion"] = Field(description="query expansion")
    query_k: Annotated[int, Field(ge=0)] = Field(5, description="hits averaged with a query (QE)")
    database_k: Annotated[int, Field(ge=0)] = Field(
        0, description="neighbours averaged with a gallery photo (DBA)"
    )
    alpha: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        3.0, description="exponent of the similarities used as weights"
    )


class KReciprocalParams(Params):
    """k-reciprocal re-ranking; see `car_retrieval.search.kreciprocal.KReciprocal`."""

    kind: Literal["kreciprocal"] = Field(description="k-reciprocal re-ranking")
    k1: Count = Field(20, description="nearest neighbours that may be reciprocal")
    k2: Count = Field(6, description="photos, itself included, averaged per set")
    weight: Annotated[float, Field(gt=0, le=1)] = Field(
        0.3, description="weight of the original distance"
    )
    candidates: Count = Field(200, description="hits re-ranked")


RerankingParams = Annotated[ExpansionParams | KReciprocalParams, Field(discriminator="kind")]


class EvaluationParams(Params):
    """Search and scores (`parameters_evaluation.yml`)."""

    search_in: Literal["gallery", "queries"] = Field(
        description="photos to search; `queries`: the other queries (leave one out)"
    )
    k: Count = Field(description="cut-off k of mAP@k")
    recall_at: Annotated[list[Count], Field(min_length=1)] = Field(description="cut-offs j of R@j")
    trained_queries: Literal["refuse", "mark"] = Field(
        "refuse",
        description="queries that the network was trained on: `refuse` the run, or score and count "
        "them",
    )
    whole_ranking: bool = Field(description="also compute mAP of the whole ranking")
    min_class_size: Count | None = Field(
        description="minimum class size of `filtered` scores; null: no filtered scores"
    )
    batch_size: Count = Field(description="queries per batch")
    reranking: RerankingParams | None = Field(
        description="re-ranking of exact search's hits; null: none"
    )
    shown_queries: Count = Field(description="queries per picture gallery")
    false_match_rate: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="share of unknown cars that may get a match instead of `no match`"
    )
    seed: Annotated[int, Field(ge=0)] = Field(
        description="random seed of pairs, searchers and the 2-D map"
    )
    searchers: Annotated[dict[SearcherName, SearcherParams], BeforeValidator(without_null)] = Field(
        description="searchers to compare with exact search; null removes one"
    )
