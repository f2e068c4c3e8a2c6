"""Consistent artifacts are opened together; otherwise an error names the pipelines to run."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.parameters import data_params, encoding_params
from tests.serving.conftest import ARCH, ENV, catalog_of, write_run

from car_retrieval.gallery.record import photo_id
from car_retrieval.io.matrix import attributes_path
from car_retrieval.models.descriptor import DescriptorConfig, DescriptorNet
from car_retrieval.models.whitening import Whitening
from car_retrieval.search.pca import PCA
from car_retrieval.search.storage import SignedIndex
from car_retrieval.serving.run_artifacts import is_evaluated, latest_versions, open_retriever

VERSION, LATER = "2026-01-01", "2026-02-01"


def change_attributes(project: Path, **changes: Any) -> None:
    file = attributes_path(next(project.glob("data/04_feature/*/database.npy/*/database.npy")))
    about = json.loads(file.read_text())
    file.write_text(json.dumps(about | changes))


def other_network() -> DescriptorNet:
    return DescriptorNet(DescriptorConfig(ARCH, 16, 32)).eval()


def reproduces_descriptors(project: Path) -> bool:
    retriever = open_retriever(ENV, project)
    described = retriever.describe(retriever.packed(photo_id("2.jpg"))[None])[0]
    return bool(np.allclose(described, retriever.descriptor(photo_id("2.jpg")), atol=1e-5))


def test_the_latest_run_is_opened(own_project: Path) -> None:
    first = open_retriever(ENV, own_project)
    assert latest_versions(ENV, own_project) == first.versions == (VERSION,) * 3
    assert first.version == VERSION
    write_run(own_project, LATER, encoding_params(scales=[0.5, 1.0], flip=True))
    retriever = open_retriever(ENV, own_project)
    assert latest_versions(ENV, own_project) == retriever.versions == (LATER,) * 3
    assert retriever.descriptor(photo_id("0.jpg")).shape == (32,)
    assert reproduces_descriptors(own_project)


def test_the_environment_may_come_from_the_shell(
    searchable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEDRO_ENV", ENV)
    assert latest_versions(project=searchable) == (VERSION,) * 3


def test_without_a_run_the_error_names_the_command(own_project: Path) -> None:
    for function in (latest_versions, open_retriever):
        with pytest.raises(FileNotFoundError, match=r"run `kedro run --env=compcars` first$"):
            function("compcars", own_project)
        with pytest.raises(FileNotFoundError, match=r"run `kedro run` first$"):
            function(project=own_project)


def test_packing_follows_the_gallery_not_the_current_parameters(own_project: Path) -> None:
    packing = data_params(image_size=32, fill="black", crop="none")
    write_run(own_project, LATER, packing=packing)
    retriever = open_retriever(ENV, own_project)
    wide = retriever.prepare(Image.new("RGB", (90, 30), "white"))
    assert (wide[:, 0] == 0).all()
    assert reproduces_descriptors(own_project)


def test_a_run_in_progress_has_no_effect(own_project: Path) -> None:
    catalog = catalog_of(own_project, LATER)
    catalog.save("gallery_photos", catalog.load("gallery_photos").iloc[::-1])
    catalog.save("model", other_network())
    whitening = Whitening(PCA(np.zeros(16, np.float32), np.eye(16, dtype=np.float32)))
    catalog.save("whitening", whitening)
    assert reproduces_descriptors(own_project)
    assert open_retriever(ENV, own_project).version == VERSION


def test_versions_show_which_artifacts_are_missing(own_project: Path, tmp_path: Path) -> None:
    write_run(own_project, LATER)
    models = own_project / "data/06_models/independent"
    late = [models / name / LATER for name in ("lopq_index.safetensors", "no_match_threshold.json")]
    for place, folder in enumerate(late):
        folder.rename(tmp_path / str(place))
    seen = []
    for place, folder in enumerate(late):
        seen.append(latest_versions(ENV, own_project))
        assert not is_evaluated(seen[-1])
        (tmp_path / str(place)).rename(folder)
    seen.append(latest_versions(ENV, own_project))
    assert seen == [(LATER, VERSION, VERSION), (LATER, LATER, VERSION), (LATER,) * 3]
    assert is_evaluated(seen[-1])
    shutil.rmtree(models / "no_match_threshold.json")
    assert latest_versions(ENV, own_project) == (LATER, LATER, "")


def test_a_different_photo_list_is_refused(own_project: Path) -> None:
    change_attributes(own_project, photos="other")
    with pytest.raises(
        ValueError, match=r"^gallery_descriptors .* gallery_photos: .* encoding again$"
    ):
        open_retriever(ENV, own_project)


def test_descriptors_without_packing_are_refused(own_project: Path) -> None:
    encoder = open_retriever(ENV, own_project)._encoder.signature()
    for about in (encoder, encoder | {"packing": None}):
        change_attributes(own_project, encoder=about)
        with pytest.raises(ValueError, match=r"packed.* `kedro run --pipelines=data_processing,"):
            open_retriever(ENV, own_project)


@pytest.mark.parametrize("part", ["model", "whitening"])
def test_a_different_network_or_whitening_is_refused(own_project: Path, part: str) -> None:
    catalog = catalog_of(own_project, VERSION + "T")  # after their source, before the descriptors
    other: Any = other_network()
    if part == "whitening":
        other = Whitening(PCA(np.zeros(16, np.float32), np.eye(16, dtype=np.float32)))
    catalog.save(part, other)
    folder = next(own_project.glob("data/04_feature/*/database.npy"))
    (folder / VERSION).rename(folder / LATER)
    with pytest.raises(ValueError, match=r"^gallery_descriptors .* different network or whitening"):
        open_retriever(ENV, own_project)


def test_the_network_of_an_epoch_is_loaded_from_its_checkpoint(own_project: Path) -> None:
    catalog = catalog_of(own_project, VERSION)
    net = catalog.load("model")
    for file in own_project.glob("data/06_models/*/model.safetensors/*/*"):
        file.unlink()
    state = {"config": vars(net.config), "classes": [], "split": "", "provenance": {}}
    checkpoints = [
        state | {"model": each.state_dict(), "report": {"epoch": epoch}}
        for epoch, each in ((2, other_network()), (3, net))
    ]
    catalog.save("checkpoints", checkpoints)
    change_attributes(own_project, checkpoint=3)
    assert reproduces_descriptors(own_project)
    change_attributes(own_project, checkpoint=2)
    with pytest.raises(ValueError, match="different network"):
        open_retriever(ENV, own_project)


@pytest.mark.parametrize("part", ["encoder", "photos"])
def test_an_index_of_other_descriptors_is_not_used(own_project: Path, part: str) -> None:
    catalog = catalog_of(own_project, LATER)
    signed = catalog.load("lopq_index")
    catalog.save("lopq_index", SignedIndex(signed.index, signed.signature | {part: "other"}))
    retriever = open_retriever(ENV, own_project)
    assert retriever.version == LATER
    assert retriever.methods == ["exact"]
    with pytest.raises(ValueError, match=r"no LOPQ index .* pipeline searchers"):
        retriever.search(retriever.descriptor(photo_id("0.jpg")), method="lopq")
    assert retriever.search(retriever.descriptor(photo_id("0.jpg")))[0].matches[0].path == "0.jpg"


@pytest.mark.parametrize(
    "change", [{"encoder": {}}, {"photos": "other"}, {"reranking": {"kind": "expansion"}}, None]
)
def test_a_threshold_of_other_similarities_is_not_used(
    own_project: Path, change: dict[str, Any] | None
) -> None:
    catalog = catalog_of(own_project, LATER)
    if change is None:
        for file in own_project.glob("data/06_models/*/no_match_threshold.json/*/*"):
            file.unlink()
    else:
        catalog.save("no_match_threshold", catalog.load("no_match_threshold") | change)
    retriever = open_retriever(ENV, own_project)
    (result,) = retriever.search(retriever.descriptor(photo_id("0.jpg")))
    assert result.threshold is None
    assert result.above_threshold is None
    assert result.matches
