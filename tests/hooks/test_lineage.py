"""Results that were not made of each other, refused once and before they are used."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from tests.parameters import evaluation_params

from car_retrieval.data.fingerprint import digest
from car_retrieval.data.known_photos import KnownPhotos
from car_retrieval.hooks.lineage import Lineage
from car_retrieval.io.matrix import Matrix, MatrixStream, write_matrix
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.models.whitening import Whitening
from car_retrieval.search.pca import PCA
from car_retrieval.training import lineage

PHOTOS = pd.DataFrame(
    {"Path": list("abcd"), "Hash": list("wxyz"), "Index": range(4), "Class": [0, 0, 1, 1]}
)
SPLIT = PHOTOS.assign(split=["train", "valid"] * 2)
PACKING = {"size": 32}


def changed(column: str, value: object = "new") -> pd.DataFrame:
    """As many photos, of which one is another."""
    table = PHOTOS.copy()
    table.loc[3, column] = value
    return table


@pytest.fixture(scope="module")
def model() -> DescriptorNet:
    net = DescriptorNet(DescriptorConfig("resnet18", 8, 32))
    net.provenance = {"parameters": {"epochs": 3}, "data": digest(SPLIT, list(SPLIT))}
    return net


@pytest.fixture
def matrix(tmp_path: Path) -> Callable[..., Matrix]:
    def write(name: str, **attributes: Any) -> Matrix:
        about = {"photos": digest(PHOTOS)} | attributes
        write_matrix(tmp_path / name, MatrixStream([np.zeros((4, 2), np.float32)], about))
        return Matrix(tmp_path / name)

    return write


def encoder(net: DescriptorNet) -> dict[str, Any]:
    return {"weights": net.fingerprint(), "whitening": None, "packing": PACKING}


@pytest.mark.parametrize("check", [lineage.check_packed, lineage.check_described])
@pytest.mark.parametrize("column", ["Path", "Hash"])
def test_a_matrix_of_another_list(matrix: Callable[..., Matrix], check: Any, column: str) -> None:
    check(matrix("m.npy"), PHOTOS)
    with pytest.raises(ValueError, match=r"^m\.npy .* another list .* again$"):
        check(matrix("m.npy"), changed(column))


@pytest.mark.parametrize(("column", "value"), [("Path", "new"), ("Hash", "new"), ("Class", 9)])
def test_a_split_of_another_list(column: str, value: object) -> None:
    lineage.check_split(SPLIT, PHOTOS)
    with pytest.raises(ValueError, match=r"^split .* data_processing again$"):
        lineage.check_split(SPLIT, changed(column, value))


def test_descriptors_of_two_encoders(matrix: Callable[..., Matrix]) -> None:
    one, other = (matrix(f"{name}.npy", encoder={"weights": name}) for name in ("one", "other"))
    lineage.check_one_encoder(one, one)
    with pytest.raises(ValueError, match=r"different encoders.*pipelines=encoding"):
        lineage.check_one_encoder(one, other)


def test_descriptors_of_another_network_whitening_or_packing(
    matrix: Callable[..., Matrix], model: DescriptorNet
) -> None:
    descriptors = matrix("d.npy", encoder=encoder(model))
    lineage.check_network(descriptors, model, {})
    lineage.check_whitening(descriptors, Whitening())
    lineage.check_packing(descriptors, matrix("i.npy", packing=PACKING))
    other = DescriptorNet(DescriptorConfig("resnet18", 8, 32))
    whitening = Whitening(PCA(np.zeros(2, np.float32), np.eye(2, dtype=np.float32)))
    for check, given in (
        (lineage.check_network, (other, {})),
        (lineage.check_whitening, (whitening,)),
        (lineage.check_packing, (matrix("i.npy", packing={"size": 64}),)),
    ):
        with pytest.raises(ValueError, match=r"^d\.npy .* encoding again$"):
            check(descriptors, *given)  # type: ignore[operator]


def test_descriptors_that_say_nothing_of_their_encoder(
    matrix: Callable[..., Matrix], model: DescriptorNet
) -> None:
    with pytest.raises(ValueError, match="another network"):
        lineage.check_network(matrix("d.npy"), model, {})


def test_a_threshold_of_other_descriptors(matrix: Callable[..., Matrix]) -> None:
    descriptors = matrix("d.npy", encoder={"weights": "one"})
    threshold = {"encoder": {"weights": "one"}, "photos": digest(PHOTOS)}
    lineage.check_threshold(threshold, descriptors)
    for change in ({"encoder": {"weights": "other"}}, {"photos": "other"}, {"photos": None}):
        with pytest.raises(ValueError, match=r"other descriptors than d\.npy: .*evaluation"):
            lineage.check_threshold(threshold | change, descriptors)


def test_queries_that_trained_the_network_are_refused(model: DescriptorNet) -> None:
    refuse, mark = (evaluation_params(trained_queries=value) for value in ("refuse", "mark"))
    model.photos = KnownPhotos.of(SPLIT)
    lineage.check_validation(model, SPLIT, refuse)
    grown = pd.concat([SPLIT, SPLIT.assign(Hash=list("ABCD"), split="valid")], ignore_index=True)
    lineage.check_validation(model, grown, refuse)
    lineage.check_queries(model, SPLIT[SPLIT["split"] == "valid"], refuse)
    anew = SPLIT.assign(split=["valid", "valid", "train", "train"])
    for check, photos, said in (
        (lineage.check_validation, anew, "1 of the 2 validation photos .the first: a."),
        (lineage.check_queries, SPLIT, "2 of the 4 query photos"),
    ):
        with pytest.raises(ValueError, match=rf"{said}.*kedro run.*trained_queries=mark$"):
            check(model, photos, refuse)
        check(model, photos, mark)


def test_a_network_that_does_not_know_its_photos_wants_its_split(model: DescriptorNet) -> None:
    params, model.photos = evaluation_params(), None
    lineage.check_validation(model, SPLIT, params)
    lineage.check_queries(model, SPLIT, params)
    other = SPLIT.assign(split="train")
    with pytest.raises(ValueError, match=r"another split .* `kedro run`$"):
        lineage.check_validation(model, other, params)
    untrained = DescriptorNet(DescriptorConfig("resnet18", 8, 32))
    untrained.provenance = {"parameters": {"epochs": 0, "weights": "imagenet"}, "data": "any"}
    lineage.check_validation(untrained, other, params)


def test_evaluation_refuses_a_split_drawn_anew(model: DescriptorNet) -> None:
    model.photos = KnownPhotos.of(SPLIT)
    pipeline = Pipeline([node(["model", "params:evaluation"], "scores")])
    given = {"model": model, "params:evaluation": evaluation_params()}
    Lineage().before_pipeline_run(pipeline, catalog(**given, split=SPLIT))
    anew = SPLIT.assign(split=["valid", "train"] * 2)
    with pytest.raises(ValueError, match="2 of the 2 validation photos"):
        Lineage().before_pipeline_run(pipeline, catalog(**given, split=anew))


def node(inputs: list[str], outputs: str) -> Node:
    return Node(lambda *given: given, inputs=inputs, outputs=outputs, name=outputs)


def catalog(**datasets: Any) -> DataCatalog:
    given = {name: MemoryDataset(data, copy_mode="assign") for name, data in datasets.items()}
    return DataCatalog(given)


def test_results_of_earlier_runs_are_checked_before_any_work(matrix: Callable[..., Matrix]) -> None:
    pipeline = Pipeline([node(["gallery_descriptors"], "index")])
    given = {"gallery_descriptors": matrix("d.npy")}
    Lineage().before_pipeline_run(pipeline, catalog(**given, gallery_photos=PHOTOS))
    with pytest.raises(ValueError, match="another list"):
        Lineage().before_pipeline_run(pipeline, catalog(**given, gallery_photos=changed("Path")))


def test_what_the_run_makes_is_checked_when_it_is_there(matrix: Callable[..., Matrix]) -> None:
    pipeline = Pipeline(
        [node(["web_nature"], "gallery_photos"), node(["gallery_descriptors"], "index")]
    )
    found = catalog(gallery_descriptors=matrix("d.npy"), gallery_photos=None, index=None)
    hook = Lineage()
    hook.before_pipeline_run(pipeline, found)
    found.save("gallery_photos", changed("Path"))
    hook.after_dataset_saved("index")
    with pytest.raises(ValueError, match="another list"):
        hook.after_dataset_saved("gallery_photos")


def test_a_list_that_is_not_there_is_not_missed(matrix: Callable[..., Matrix]) -> None:
    pipeline = Pipeline([node(["gallery_descriptors"], "index")])
    Lineage().before_pipeline_run(pipeline, catalog(gallery_descriptors=matrix("d.npy")))


def test_nothing_is_asked_of_what_a_pipeline_does_not_use() -> None:
    pipeline = Pipeline([node(["gallery_photos"], "table")])
    Lineage().before_pipeline_run(pipeline, catalog(gallery_photos=PHOTOS))


def test_results_of_one_run_belong_together() -> None:
    pipeline = Pipeline(
        [
            node(["web_nature"], "gallery_photos"),
            node(["gallery_photos"], "gallery_images"),
            node(["gallery_photos"], "split"),
        ]
    )
    hook = Lineage()
    hook.before_pipeline_run(pipeline, catalog(web_nature=None))
    for name in ("gallery_photos", "gallery_images", "split"):
        hook.after_dataset_saved(name)
