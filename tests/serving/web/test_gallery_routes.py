"""Photos are added, corrected and removed over HTTP."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from tests.serving.conftest import PHOTOS, picture
from tests.serving.web.gallery_client import best, client, post, service

from car_retrieval.gallery.record import photo_id

__all__ = ["client"]  # fixtures


def test_an_added_photo_is_found_by_the_next_search(client: TestClient) -> None:
    data = picture(500)
    fields = json.dumps({"colour": "red", "doors": 5})
    response = post(client, data, **{"class": "Audi/A6", "year": 2033, "fields": fields})
    assert response.status_code == 201, response.text
    added = response.json()
    assert (added["status"], added["make"], added["model"]) == ("added", "Audi", "Audi A6")
    assert client.get("/gallery").json()["photos"] == PHOTOS + 1
    first = best(client, data)
    assert first["id"] == added["id"]
    assert first["similarity"] == pytest.approx(1, abs=1e-5)
    assert first["fields"] == {"colour": "red", "doors": 5}
    assert client.get(first["image"]).content == data
    assert client.get(f"/gallery/{added['id']}").json() == added | {"status": None}
    assert best(client, picture(3), where=["colour=red", "doors=5"])["id"] == added["id"]
    heat = client.post("/heat", data={"id": added["id"], "match": added["id"]})
    assert heat.headers["Content-Type"] == "image/png"


def test_the_same_photo_again_is_unchanged_or_updated(client: TestClient) -> None:
    data = picture(500)
    first = post(client, data).json()
    again = post(client, data, "other name.jpg").json()
    assert again == first | {"status": "unchanged"}
    changed = post(client, data, make="Skoda").json()
    assert (changed["id"], changed["status"], changed["make"]) == (first["id"], "updated", "Skoda")
    assert client.get("/gallery").json()["photos"] == PHOTOS + 1


def test_labels_are_replaced(client: TestClient) -> None:
    photo = photo_id("1.jpg")
    path = f"/gallery/{photo}"
    response = client.put(path, data={"make": "Lada", "year": 1980})
    assert response.status_code == 200, response.text
    assert (response.json()["make"], response.json()["year"]) == ("Lada", 1980)
    assert best(client, picture(1), make="lada")["id"] == photo
    assert "Lada" in client.get("/gallery").json()["makes"]


def test_other_labels_keep_box_and_descriptor(client: TestClient) -> None:
    retriever = client.app.state.service.reloader.retriever  # type: ignore[attr-defined]
    photo = photo_id("2.jpg")  # one with a box
    box, before = retriever.record(photo).labels.box, retriever.descriptor(photo)
    assert box is not None
    client.put(f"/gallery/{photo}", data={"make": "Lada"})
    assert retriever.record(photo).labels.box == box
    np.testing.assert_array_equal(retriever.descriptor(photo), before)


def test_a_removed_photo_is_gone(client: TestClient, own_project: Path) -> None:
    photo = photo_id("1.jpg")
    assert client.delete(f"/gallery/{photo}").status_code == 204
    assert best(client, picture(1))["id"] != photo
    for address in (f"/gallery/{photo}", f"/images/{photo}"):
        assert client.get(address).status_code == 404
    assert client.delete(f"/gallery/{photo}").status_code == 404
    assert client.put(f"/gallery/{photo}", data={"make": "x"}).status_code == 404
    assert (own_project / "data/01_raw/independent/traini/1.jpg").exists()


def test_another_process_sees_the_change(client: TestClient, own_project: Path) -> None:
    added = post(client, picture(500)).json()
    with service(own_project, None) as other:
        assert best(other, picture(500))["id"] == added["id"]
        client.delete(f"/gallery/{added['id']}")
        assert best(other, picture(500))["id"] != added["id"]


def test_without_a_key_nothing_can_be_changed(own_project: Path) -> None:
    with service(own_project, None) as client:
        assert client.get("/gallery").json()["writable"] is False
        assert post(client, picture(500)).status_code == 403
        photo = photo_id("1.jpg")
        assert client.put(f"/gallery/{photo}", data={"make": "x"}).status_code == 403
        assert client.delete(f"/gallery/{photo}").status_code == 403
        assert client.get(f"/gallery/{photo}").status_code == 200
    with service(own_project, "secret") as client:
        for method in ("post", "put", "delete"):
            address = "/gallery" if method == "post" else f"/gallery/{photo}"
            answer = client.request(method, address, headers={"Authorization": "Bearer wrong"})
            assert answer.status_code == 401


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"fields": "[1]"}, "fields"),
        ({"fields": '{"a": {}}'}, "fields"),
        ({"fields": "{"}, "fields"),
        ({"year": "new"}, "year"),
    ],
)
def test_bad_labels_are_refused(client: TestClient, form: Any, why: str) -> None:
    response = post(client, picture(500), **form)
    assert response.status_code == 422
    assert why in response.json()["detail"]
    assert client.get("/gallery").json()["photos"] == PHOTOS


def test_what_is_no_photo_is_refused(client: TestClient) -> None:
    assert post(client, b"text").status_code == 415
    assert post(client, picture(500)[:-300]).status_code == 422
    assert client.post("/gallery", data={"make": "x"}).status_code == 422
    assert client.get("/gallery").json()["photos"] == PHOTOS


@pytest.mark.parametrize(
    "name", ["../../evil.jpg", "/etc/passwd.jpg", "..", "a\\b.jpg", "", "\x00.jpg", "ü" * 300]
)
def test_names_of_uploads_stay_in_the_folder(
    client: TestClient, own_project: Path, name: str
) -> None:
    before = set(own_project.rglob("*"))
    response = post(client, picture(500), name)
    if response.status_code == 201:
        assert best(client, picture(500))["id"] == response.json()["id"]
        assert client.get(response.json()["image"]).content == picture(500)
    else:
        assert response.status_code in (400, 422)
    made = {path for path in set(own_project.rglob("*")) - before if path.is_file()}
    folder = own_project / "data/01_raw/gallery_changes/independent"
    assert all(path.is_relative_to(folder) for path in made)
    assert len(made) <= 2


def test_a_condition_on_an_unknown_field_is_refused(client: TestClient) -> None:
    for where, why in (("colour", "where"), ("colour=red", "colour")):
        response = client.post(
            "/search", files={"photo": ("p", picture(1))}, data={"where": [where]}
        )
        assert response.status_code == 422
        assert why in response.json()["detail"]


def test_large_uploads_keep_their_pixels(client: TestClient) -> None:
    data = io.BytesIO()
    Image.fromarray(np.zeros((700, 900, 3), np.uint8)).save(data, "JPEG")
    added = post(client, data.getvalue()).json()
    assert Image.open(io.BytesIO(client.get(added["image"]).content)).size == (900, 700)


def test_the_fields_of_the_gallery_are_listed_with_their_values(client: TestClient) -> None:
    post(client, picture(500), fields=json.dumps({"colour": "red"}))
    fields = {field["name"]: field for field in client.get("/gallery/fields").json()}
    assert list(fields) == ["class", "make", "model", "year", "path", "id", "colour"]
    assert fields["make"]["values"] == ["Audi", "Skoda"]
    assert fields["year"]["limits"] == [2000, 2009]
    assert fields["colour"]["values"] == ["red"]


@pytest.mark.parametrize(
    "fields", ['{"Class": "red"}', '{"a": NaN}', '{"a": "\\ud800"}', '{"": 1}']
)
def test_fields_that_no_table_can_hold_are_refused(client: TestClient, fields: str) -> None:
    response = post(client, picture(500), fields=fields)
    assert response.status_code == 422, response.text
    assert client.get("/gallery").json()["photos"] == PHOTOS
