"""What the service refuses: photos, forms, sizes, keys and hosts."""

import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from tests.serving.web.searching import ID

from car_retrieval.serving.web.app import create_app

Picture = Callable[..., bytes]


FORM = "application/x-www-form-urlencoded"


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


def bomb(width: int, height: int) -> bytes:
    """Return a small PNG file whose header declares this size."""
    head = width.to_bytes(4) + height.to_bytes(4) + bytes([8, 2, 0, 0, 0])
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("data", "status", "why"),
    [
        (b"", 415, "not a picture"),
        (b"MZ, a program", 415, "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 415, "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "not a picture"),
        (bomb(9_000, 9_000), 413, "9000 x 9000 pixels"),
        (bomb(99_999, 99_999), 413, "too many pixels"),
        (bomb(16, 16), 422, "photo: it cannot be decoded"),
    ],
)
def test_bad_photos(client: TestClient, data: bytes, status: int, why: str) -> None:
    response = client.post("/search", files={"photo": ("photo.jpg", data)})
    assert response.status_code == status
    assert why in response.json()["detail"]
    assert "\n" not in response.json()["detail"]


def test_a_cut_off_photo(client: TestClient) -> None:
    file = BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(file, "JPEG")
    half = file.getvalue()[: len(file.getvalue()) // 2]
    response = client.post("/search", files={"photo": ("photo.jpg", half)})
    assert response.status_code == 422
    assert response.json()["detail"].startswith("photo: it cannot be decoded")


@pytest.mark.parametrize(
    ("form", "status", "why"),
    [
        ({}, 422, "send a photo or an id"),
        ({"id": [ID[1]] * 6, "unlike_id": [ID[2]] * 5}, 422, "at most 10 photos and ids, got 11"),
        ({"id": [ID[1], ID[2]], "crop": "1,1,9,9"}, 422, "needs a single photo"),
        ({"id": ID[1], "unlike_id": "0000000000000004"}, 404, "0000000000000004"),
        ({"id": ID[1], "unlike_id": ID[2], "gamma": 1.5}, 422, "gamma: "),
        ({"id": ID[1], "unlike_id": ID[1], "gamma": 1}, 422, "nothing is left to search for"),
        ({"id": "0000000000000004"}, 404, "0000000000000004"),
        ({"id": ID[1], "k": 0}, 422, "k must be between 1 and 100"),
        ({"id": ID[1], "k": 101}, 422, "k must be between 1 and 100"),
        ({"id": ID[1], "method": "guess"}, 422, "method must be exact or lopq, got 'guess'"),
        ({"id": ID[1], "make": "Gamma"}, 422, "make 'Gamma'"),
        ({"id": ID[1], "model": "Gamma"}, 422, "no model names"),
        ({"id": ID[1], "crop": "1,2,3"}, 422, "crop: expected auto or x1,y1,x2,y2"),
        ({"id": ID[1], "crop": "5,5,2,9"}, 422, "crop: '5,5,2,9' is empty"),
        ({"id": ID[1], "crop": "0,0,2,9"}, 422, "crop: '0,0,2,9'"),
        ({"id": ID[1], "crop": "1,1,65,48"}, 422, "photo: the crop lies outside"),
        ({"id": ID[1], "year_from": 2004, "year_to": 2003}, 422, "2004 to 2003"),
        ({"id": ID[1], "year_from": "x"}, 422, "year_from: "),
    ],
)
def test_bad_forms(client: TestClient, form: Any, status: int, why: str) -> None:
    response = client.post("/search", data=form, headers={"Content-Type": FORM} if not form else {})
    assert response.status_code == status
    assert why in response.json()["detail"]
    assert "\n" not in response.json()["detail"]


def test_a_broken_form(client: TestClient) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    response = client.post("/search", content=b"--y\r\nnothing", headers=kind)
    assert response.status_code == 400
    assert isinstance(response.json()["detail"], str)


@pytest.mark.parametrize("kind", ["application/json", "image/jpeg", ""])
def test_other_content_types_are_refused(client: TestClient, kind: str) -> None:
    response = client.post("/search", content=b"{}", headers={"Content-Type": kind})
    assert response.status_code == 415
    assert "multipart/form-data" in response.json()["detail"]


def test_other_addresses_and_methods(client: TestClient) -> None:
    assert client.get("/nothing").status_code == 404
    assert client.get("/search").status_code == 405
    assert client.get("/docs").status_code == 404
    assert client.get("/page/../app.py").status_code == 404
    assert client.get("/page/%2e%2e/app.py").status_code == 404


def test_uploads_are_limited(limited: Callable[..., TestClient], picture: Picture) -> None:
    data = picture("red", form="BMP")
    with limited(upload=len(data) - 1) as client:
        response = client.post("/search", files={"photo": ("photo", data)})
        assert response.status_code == 413
        assert "MB" in response.json()["detail"]

        def stream() -> Iterator[bytes]:  # without Content-Length
            yield b'--x\r\nContent-Disposition: form-data; name="photo"; filename="p"\r\n\r\n'
            yield data
            yield b"\r\n--x--\r\n"

        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        response = client.post("/search", content=stream(), headers=kind)
        assert response.status_code == 413
    with limited(upload=len(data) + 1_000) as client:
        assert client.post("/search", content=stream(), headers=kind).status_code == 200


def test_pixels_and_matches_are_limited(
    limited: Callable[..., TestClient], picture: Picture
) -> None:
    with limited(pixels=63 * 48, k=3) as client:
        files = {"photo": ("photo", picture("red"))}
        assert client.post("/search", files=files, data={"k": 3}).status_code == 413
        assert client.post("/search", data={"id": ID[1], "k": 4}).status_code == 422
        assert client.post("/search", data={"id": ID[1], "k": 3}).status_code == 200


def test_an_api_key_is_required(limited: Callable[..., TestClient]) -> None:
    with limited(key="sesame") as client:
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": "sesame"},
            {"Authorization": "Basic sesame"},
            {"Authorization": "Bearer sésame".encode("latin-1")},
        ):
            for address in ("/gallery", f"/images/{ID[0]}", "/metrics", "/openapi.json"):
                response = client.get(address, headers=headers)
                assert response.status_code == 401
                assert response.headers["WWW-Authenticate"] == "Bearer"
            response = client.post("/search", data={"id": ID[1]}, headers=headers)
            assert response.status_code == 401
        for address in ("/", "/page/page.js", "/health", "/ready"):
            assert client.get(address).status_code == 200
        right = {"Authorization": "Bearer sesame"}
        assert client.post("/search", data={"id": ID[1]}, headers=right).status_code == 200
        assert client.get(f"/images/{ID[0]}", headers=right).status_code == 200


def test_other_host_headers_are_refused(reloader: Any) -> None:
    hosts = ("localhost", "127.0.0.1", "[::1]")
    with TestClient(create_app(reloader, hosts=hosts)) as client:
        for host in ("localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "[::1]"):
            assert client.get("/gallery", headers={"Host": host}).status_code == 200
        for host in ("evil.example", "evil.example:8000", "localhost.evil.example", "", "[::2]:80"):
            response = client.get("/gallery", headers={"Host": host})
            assert response.status_code == 400
            assert "localhost" in response.json()["detail"]
