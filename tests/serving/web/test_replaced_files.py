"""`PUT /gallery/{id}` with a new file."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from tests.serving.conftest import picture
from tests.serving.web.gallery_client import best, client, post, service

from car_retrieval.gallery import store
from car_retrieval.gallery.record import Labels, photo_id
from car_retrieval.serving.gallery_writer import NewPhoto

__all__ = ["client"]  # fixtures


def put(client: TestClient, photo: str, data: bytes, **form: Any) -> Any:
    return client.put(f"/gallery/{photo}", files={"photo": ("other.jpg", data)}, data=form)


@pytest.mark.parametrize("copied", [True, False])
def test_a_new_file_replaces_that_of_a_photo(
    client: TestClient, own_project: Path, copied: bool
) -> None:
    own = own_project / "data/01_raw/independent/traini/1.jpg"
    photo = post(client, picture(500)).json()["id"] if copied else photo_id("1.jpg")
    response = put(client, photo, picture(501), make="Lada")
    assert response.status_code == 200, response.text
    corrected = response.json()
    assert (corrected["id"], corrected["status"], corrected["make"]) == (photo, "updated", "Lada")
    first = best(client, picture(501))
    assert (first["id"], first["similarity"]) == (photo, pytest.approx(1, abs=1e-5))
    assert client.get(first["image"]).content == picture(501)
    assert own.read_bytes() == picture(1), "the user's own file stays"
    put(client, photo, picture(502))
    [copy] = own_project.glob("data/01_raw/gallery_changes/independent/added/*/*")
    assert copy.read_bytes() == picture(502), "one copy, the last one"
    with service(own_project, None) as other:
        assert best(other, picture(502))["id"] == photo
        assert other.get(first["image"]).content == picture(502)
    client.delete(f"/gallery/{photo}")
    assert not copy.exists()
    assert own.exists()


def test_a_new_file_gets_a_box_of_its_own(client: TestClient) -> None:
    retriever = client.app.state.service.reloader.retriever  # type: ignore[attr-defined]
    photo = photo_id("2.jpg")  # one with a box, which lies outside of the new file
    small = io.BytesIO()
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(small, "PNG")
    assert put(client, photo, small.getvalue()).status_code == 200
    box = retriever.record(photo).labels.box
    assert box is None or max(box) <= 20


def test_the_same_file_only_corrects_the_labels(client: TestClient, own_project: Path) -> None:
    retriever = client.app.state.service.reloader.retriever  # type: ignore[attr-defined]
    photo = photo_id("2.jpg")
    box, before = retriever.record(photo).labels.box, retriever.descriptor(photo)
    assert put(client, photo, picture(2), make="Lada").json()["make"] == "Lada"
    assert retriever.record(photo).labels.box == box
    np.testing.assert_array_equal(retriever.descriptor(photo), before)
    assert not (own_project / "data/01_raw/gallery_changes/independent/added").exists()


def test_a_file_that_cannot_replace_another_changes_nothing(client: TestClient) -> None:
    photo = photo_id("1.jpg")
    for data, status, why in (
        (b"text", 415, "not a picture"),
        (picture(501)[:-300], 422, "photo"),
        (picture(3), 422, photo_id("3.jpg")),  # the gallery has it
    ):
        response = put(client, photo, data, make="Lada")
        assert response.status_code == status
        assert why in response.json()["detail"]
    assert client.get(f"/gallery/{photo}").json()["make"] == "Audi"
    assert client.get(f"/images/{photo}").content == picture(1)


def test_the_old_file_stays_if_the_change_cannot_be_stored(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = post(client, picture(500)).json()["id"]
    writer = client.app.state.service.writer()  # type: ignore[attr-defined]
    for photo, old in ((added, picture(500)), (photo_id("1.jpg"), picture(1))):
        with monkeypatch.context() as broken:
            broken.setattr(store, "_save", lambda db, rows: pytest.fail("the disk is full"))
            with pytest.raises(pytest.fail.Exception):
                writer.correct(photo, Labels(), picture(501))
        assert client.get(f"/images/{photo}").content == old
        assert best(client, old)["id"] == photo


def test_a_photo_with_the_replaced_content_is_a_new_one(client: TestClient) -> None:
    first = post(client, picture(500)).json()
    put(client, first["id"], picture(501))
    second = post(client, picture(500)).json()
    assert second["status"] == "added"
    assert second["id"] != first["id"]
    assert client.get(first["image"]).content == picture(501)
    assert client.get(second["image"]).content == picture(500)


def test_adding_the_own_file_again_takes_it_back(client: TestClient, own_project: Path) -> None:
    writer = client.app.state.service.writer()  # type: ignore[attr-defined]
    put(client, photo_id("1.jpg"), picture(501))
    [outcome] = writer.add([NewPhoto(picture(1), "1.jpg", path="1.jpg")])
    assert (outcome.kind, outcome.record.id) == ("updated", photo_id("1.jpg"))
    assert client.get(f"/images/{photo_id('1.jpg')}").content == picture(1)
    assert best(client, picture(1))["id"] == photo_id("1.jpg")
    assert not list(own_project.glob("data/01_raw/gallery_changes/independent/added/*/*"))
