"""Pictures and heat maps of the service."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from tests.serving.web.searching import COLOURS, ID

from car_retrieval.images.decode import UnreadableImageError

Picture = Callable[..., bytes]


@pytest.mark.parametrize("form", ["HEIF", "TIFF"])
def test_a_preview_for_browsers(client: TestClient, picture: Picture, form: str) -> None:
    data = picture("green", size=(3_000, 1_500), form=form)
    response = client.post("/preview", files={"photo": ("p", data)})
    assert response.headers["content-type"] == "image/jpeg"
    shown = Image.open(BytesIO(response.content))
    assert shown.size == (2_048, 1_024)
    assert np.abs(np.asarray(shown)[9, 9] - np.array([20, 200, 40])).max() < 6
    assert client.post("/preview", files={"photo": ("p", b"text")}).status_code == 415
    assert client.post("/preview", files={"photo": ("p", data[:-999])}).status_code in (415, 422)


def test_pictures_of_the_gallery(client: TestClient, retriever: Any) -> None:
    response = client.get(f"/images/{ID[1]}")
    assert response.content == retriever.files[ID[1]]
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["Cache-Control"] == "private, no-cache"
    again = client.get(f"/images/{ID[1]}", headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    kept = client.get(f"/images/{ID[1]}?size=32")
    assert kept.headers["Content-Type"] == "image/jpeg"
    assert kept.headers["ETag"] != response.headers["ETag"]
    small = Image.open(BytesIO(kept.content))
    assert small.size == (32, 24)
    assert np.abs(np.asarray(small)[12, 16] - np.array([20, 200, 40])).max() < 4
    assert Image.open(BytesIO(client.get(f"/images/{ID[1]}?size=999").content)).size == (64, 48)


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/images/9", 404),
        (f"/images/{ID[1]}?size=9", 422),
        (f"/images/{ID[1]}?size=9000", 422),
        (f"/images/{ID[0]}", 404),
        (f"/images/{ID[3]}?size=20", 404),
    ],
)
def test_pictures_that_do_not_exist(
    client: TestClient, retriever: Any, address: str, status: int
) -> None:
    retriever.files[ID[0]] = None
    retriever.files[ID[3]] = b"no picture"
    response = client.get(address)
    assert response.status_code == status
    assert "/home" not in response.text


@pytest.mark.parametrize(
    ("form", "seen", "compared"),
    [
        ({"photo": "red", "match": ID[2]}, "blue", "red"),
        ({"photo": "red", "match": ID[2], "on": "match"}, "blue", "red"),
        ({"photo": "red", "match": ID[2], "on": "query"}, "red", "blue"),
        ({"id": ID[0], "match": ID[1]}, "green", "red"),
        ({"id": ID[0], "match": ID[1], "on": "query"}, "red", "green"),
        ({"id": ID[0], "match": ID[1], "on": "query", "crop": "1,1,9,9"}, "red", "green"),
    ],
)
def test_heat_maps_are_of_either_side(
    client: TestClient, retriever: Any, picture: Picture, form: Any, seen: str, compared: str
) -> None:
    drawn = []
    retriever.heat = lambda image, other: (drawn.append((image, other)), image[0] / 255)[1]
    photo = form.pop("photo", None)
    files = photo and {"photo": ("photo", picture(photo))}
    response = client.post("/heat", files=files, data=form)
    assert response.headers["Content-Type"] == "image/png"
    assert Image.open(BytesIO(response.content)).size == (16, 16)
    ((image, other),) = drawn
    ids = dict(zip(COLOURS, ID, strict=True))
    assert (image == retriever.packed(ids[seen])).all()
    assert other == pytest.approx(retriever.descriptor(ids[compared]))


@pytest.mark.parametrize("on", ["match", "query"])
@pytest.mark.parametrize("wrong", [FileNotFoundError("x.jpg"), UnreadableImageError("cut")])
def test_a_heat_map_of_a_missing_or_damaged_file(
    client: TestClient, retriever: Any, on: str, wrong: Exception
) -> None:
    def fails(*_: Any) -> None:
        raise wrong

    retriever.packed = retriever.heat = fails
    response = client.post("/heat", data={"id": ID[0], "match": ID[1], "on": on})
    assert response.status_code == 404
    assert "missing or damaged" in response.json()["detail"]


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"id": ID[0], "match": "none"}, 404),
        ({"id": "0000000000000009", "match": ID[0]}, 404),
        ({"id": ID[0]}, 422),
        ({"match": ID[0]}, 422),
        ({"id": ID[0], "match": ID[1], "on": "x"}, 422),
    ],
)
def test_invalid_heat_map_requests(client: TestClient, form: Any, status: int) -> None:
    assert client.post("/heat", data=form).status_code == status
