"""The model card against what it was written from; and what is not handed over."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from tests.parameters import evaluation_params, export_params, training_params
from tests.pipelines.made_up import roles

from car_retrieval.data.fingerprint import digest
from car_retrieval.io.matrix import Matrix, MatrixStream, write_matrix
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.models.encoder import Encoder
from car_retrieval.models.whitening import Whitening
from car_retrieval.params import TrainingParams
from car_retrieval.pipelines.export import card as card_nodes
from car_retrieval.pipelines.export import nodes

PHOTOS = pd.DataFrame(
    {
        "Path": [f"{row}.jpg" for row in range(20)],
        "Hash": [f"{row:032}" for row in range(20)],
        "Index": range(20),
        "Class": np.arange(20) % 4,
        "ModelName": [f"Model|{row % 4}" for row in range(20)],
    }
)
SIDES = ["train"] * 13 + ["valid"] * 4 + ["excluded"] * 3
SPLIT = PHOTOS[["Index", "Class", "Path", "Hash"]].assign(split=SIDES)


@pytest.fixture(scope="module")
def model() -> DescriptorNet:
    net = DescriptorNet(DescriptorConfig("resnet18", 8, 32)).eval()
    net.provenance = {
        "parameters": training_params(lr=0.0123, epochs=3).model_dump(mode="json"),
        "versions": {"torch": "9.8.7", "car_retrieval": "6.5.4"},
        "data": digest(SPLIT, list(SPLIT)),
        "report": {"epoch": 1, "loss": 0.5, "mAP@20": 0.7},
    }
    return net


@pytest.fixture
def database(tmp_path: Path, model: DescriptorNet) -> Matrix:
    signature = Encoder(model, [1.0, 0.5]).signature() | {
        "whitening": None,
        "packing": {
            "size": 32,
            "fill": "mean",
            "crop": "box",
            "interpolation": "bicubic",
            "centre": None,
        },
    }
    path = tmp_path / "mine" / "database.npy" / "2026-01-02" / "database.npy"
    attributes = {"encoder": signature, "photos": digest(PHOTOS), "checkpoint": "best"}
    values = np.random.default_rng(0).normal(size=(20, 16)).astype(np.float32)
    write_matrix(path, MatrixStream([values], attributes))
    return Matrix(path)


def roles_of(split: pd.DataFrame, trained: bool = True) -> pd.DataFrame:
    sides = np.where((split["split"] == "train") & trained, "train", "other")
    return roles(split).assign(Role=sides)


@pytest.fixture
def told(database: Matrix, model: DescriptorNet) -> dict[str, Any]:
    """What the card is written from, every number another."""
    scores = {"mAP@20": 0.1234567, "R@1": 0.2345678, "MAP@R": 0.3456789, "legacy_mAP@20": 0.98765}
    summary = [
        {"split": split, "protocol": "all", "queries": 111 * place, "gallery": 20}
        | {name: value / place for name, value in scores.items()}
        for place, split in enumerate(("test", "valid"), 1)
    ]
    searcher = {"split": "test", "mAP@20": 0.4321, "recall@20": 0.8765, "fit s": 77.7}
    rates = {"queries": 17, "FPIR": 0.0625, "FPIR_unknown": None, "TPIR": 0.8125}
    return {
        "gallery_descriptors": database,
        "gallery_photos": PHOTOS,
        "query_photos": PHOTOS[:0],
        "evaluation": evaluation_params(),
        "split": SPLIT,
        "roles": roles_of(SPLIT),
        "data_report": {
            "gallery": {"photos": 20, "classes": 4, "problems": {"a | b": 3}},
            "queries": {
                "photos": 1234,
                "classes": 5,
                "photos without a class in the gallery": 19,
                "photos that are also in the gallery": 0,
                "problems": {},
            },
        },
        "model": model,
        "checkpoints": {},
        "training_history": pd.DataFrame({"epoch": [0, 1, 2], "images": [500, 501, 502]}),
        "summary": pd.DataFrame(summary),
        "by_class": pd.DataFrame(
            {"Class": [0, 1, 9], "Queries": [5, 6, 7], "Relevant": 5, "mAP@20": [0.9, 0.2, 0.3]}
        ),
        "searchers": pd.DataFrame([searcher | {"searcher": "lopq", "batch q/s 1 thread": 4567.0}]),
        "no_match_threshold": {
            "threshold": 0.654321,
            "false_match_rate": 0.07,
            "encoder": database.attributes["encoder"],
            "photos": digest(PHOTOS),
            "reranking": None,
            "splits": {"valid": rates, "test": rates | {"queries": 18}},
        },
    }


def write_model_card(**told: Any) -> str:
    """The card as the pipeline wires it."""
    facts = [
        node(*(told[name] for name in names.split()))
        for node, names in (
            (card_nodes.tell_network, "gallery_descriptors model checkpoints training_history"),
            (card_nodes.tell_data, "gallery_photos query_photos split roles data_report by_class"),
            (card_nodes.tell_scores, "summary searchers no_match_threshold evaluation"),
        )
    ]
    return card_nodes.write_model_card(*facts)


def rows(card: str) -> list[list[str]]:
    lines = [line for line in card.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_every_number_of_the_card_is_one_of_the_results(told: dict[str, Any]) -> None:
    card = write_model_card(**told)
    _, heading, body = card.split("---\n", 2)
    [index] = yaml.safe_load(heading)["model-index"]
    for result, wanted in zip(index["results"], told["summary"].to_dict("records"), strict=True):
        metrics = {metric["type"]: metric["value"] for metric in result["metrics"]}
        assert metrics == {
            name: value
            for name, value in wanted.items()
            if name not in ("split", "protocol", "legacy_mAP@20")
        }
    found = rows(body)
    assert ["test", "all", "111", "20", "0.123", "0.235", "0.346", "0.988"] in found
    assert ["valid", "all", "222", "20", "0.062", "0.117", "0.173", "0.494"] in found
    assert ["test", "0.432", "0.876", "lopq", "4,567"] in found
    assert ["valid", "17", "0.062", "–", "0.812"] in found
    assert ["gallery", "a \\| b", "3"] in found
    assert "below a similarity of 0.6543." in body
    assert "at most 7 % of validation photos" in body
    assert "1,234 query photos, of 5 classes" in body
    assert "13 of them, of 4 classes, trained" in body
    assert "4 chose its epoch; 3 did neither" in body
    assert "Of the 3 classes that are scored below, 1 did not train" in body
    assert "Epoch 1, counted from 0, of 3: the best by mAP@k" in body
    assert "after 1,001 training images" in body
    assert "started from random weights" in body
    assert "19 query photos are of no class in the gallery" in body
    assert "float32 [16]" in body
    assert "torch 9.8.7, car_retrieval 6.5.4" in body
    assert f"`{digest(PHOTOS)}`" in body
    assert "of run 2026-01-02:" in body
    assert found.index(["Model\\|1", "6", "5", "0.200"]) + 1 == found.index(
        ["–", "7", "5", "0.300"]
    )


def test_the_recipe_can_be_pasted(told: dict[str, Any], model: DescriptorNet) -> None:
    block = re.search(r"```yaml\n(.*?)```", write_model_card(**told), re.DOTALL)
    assert block
    pasted = TrainingParams.model_validate(yaml.safe_load(block[1])["training"])
    assert pasted == training_params(lr=0.0123, epochs=3)


def test_what_was_not_measured_is_not_claimed(told: dict[str, Any]) -> None:
    told["data_report"]["gallery"]["problems"] = {}
    split = SPLIT.assign(Class=[0, 1] * 6 + [0] + [2, 3] * 3 + [3])
    told["split"], told["roles"] = split, roles_of(split)
    card = write_model_card(**told)
    assert "validation photos search each other" in card
    assert "says nothing about other classes" not in card


def test_a_table_says_what_it_is_of(database: Matrix) -> None:
    stream = nodes.tabulate(database, PHOTOS)
    assert stream.schema.metadata[b"run"] == b"2026-01-02"
    assert stream.schema.metadata[b"collection"] == b"mine"


class TestOnnx:
    IMAGES = np.random.default_rng(0).integers(0, 256, (20, 3, 32, 32), np.uint8)

    @pytest.fixture
    def export(
        self, database: Matrix, model: DescriptorNet, tmp_path: Path
    ) -> Callable[..., bytes]:
        write_matrix(tmp_path / "images.npy", self.IMAGES)
        images = Matrix(tmp_path / "images.npy")

        def export(whitening: Whitening | None = None, **params: Any) -> bytes:
            given = whitening or Whitening()
            return nodes.export_onnx(database, images, model, {}, given, export_params(**params))

        return export

    def test_it_is_what_described_the_gallery_and_says_so(
        self, export: Callable[..., bytes], database: Matrix, model: DescriptorNet
    ) -> None:
        import json

        import onnxruntime
        import torch

        session = onnxruntime.InferenceSession(export(photos=3))
        [found] = session.run(None, {"images": self.IMAGES[:5]})
        with torch.inference_mode():
            wanted = Encoder(model, [1.0, 0.5])(torch.from_numpy(self.IMAGES[:5])).numpy()
        np.testing.assert_allclose(found, wanted, atol=1e-5)
        about = session.get_modelmeta().custom_metadata_map
        assert json.loads(about["encoder"]) == database.attributes["encoder"]
        assert about["run"] == "2026-01-02"
        assert about["tried"] == "3"
        assert 0 <= float(about["angle"]) < 0.01

    def test_a_wrong_one_is_not_kept(
        self, export: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(nodes, "to_onnx", lambda network: None)
        monkeypatch.setattr(nodes, "largest_angle", lambda *_: 0.02)
        with pytest.raises(ValueError, match=r"0\.02 degrees .* export\.tolerance = 0\.01$"):
            export()
        monkeypatch.setattr(nodes, "largest_angle", lambda *_: float("nan"))
        with pytest.raises(ValueError, match="nan degrees"):
            export()

    def test_images_of_another_size_are_refused(
        self, database: Matrix, model: DescriptorNet, tmp_path: Path
    ) -> None:
        write_matrix(tmp_path / "imageset.npy", self.IMAGES[..., ::2, ::2])
        given = database, Matrix(tmp_path / "imageset.npy"), model, {}, Whitening(), export_params()
        with pytest.raises(ValueError, match=r"images have 16 px, .* at 32: train again, or pack"):
            nodes.export_onnx(*given)


def test_a_card_of_leave_one_out_says_so_and_names_its_classes(told: dict[str, Any]) -> None:
    told["evaluation"] = evaluation_params(search_in="queries")
    told["query_photos"] = pd.DataFrame(
        {"Path": ["q.jpg"], "Class": [9], "MakeName": ["Audi"], "ModelName": ["A9"]}
    )
    card = write_model_card(**told)
    assert "the query photos search each other" in card
    assert "Audi A9" in card
    assert "of no class in the gallery" not in card
