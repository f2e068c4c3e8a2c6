"""Responses of the service, including every kind of error."""

import json
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from car_retrieval.gallery.record import photo_id
from car_retrieval.images.decode import UnreadableImageError
from car_retrieval.serving.web.app import create_app

Picture = Callable[..., bytes]
COLOURS = ("red", "green", "blue", "grey")  # of the gallery
ID = [photo_id(f"cars/{name}.png") for name in COLOURS]


def searched(client: TestClient, data: bytes | None = None, **form: Any) -> Any:
    files = None if data is None else {"photo": ("photo", data)}
    response = client.post("/search", files=files, data=form)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_photo_finds_the_most_similar(client: TestClient, picture: Picture) -> None:
    answer = searched(client, picture((200, 50, 40), form="JPEG"), k=2)
    first = answer["matches"][0]
    assert first.pop("similarity") == pytest.approx(0.99, abs=0.01)
    assert first == {
        "id": ID[0],
        "class": 0,
        "make": "Alpha",
        "model": None,
        "year": 2001,
        "fields": {},
        "path": "cars/red.png",
        "image": f"/images/{ID[0]}",
    }
    assert [match["id"] for match in answer["matches"]] == [ID[0], ID[3]]
    assert answer["known"] is True
    assert answer["threshold"] == 0.98
    assert answer["version"] == "one"


@pytest.mark.parametrize("form", ["HEIF", "AVIF"])
def test_photos_of_phones(client: TestClient, picture: Picture, form: str) -> None:
    assert searched(client, picture("red", form=form))["matches"][0]["id"] == ID[0]


def test_a_format_that_browsers_cannot_show_is_converted(
    client: TestClient, retriever: Any, picture: Picture
) -> None:
    retriever.files[ID[1]] = picture("green", size=(90, 60), form="HEIF")
    response = client.get(f"/images/{ID[1]}")
    assert response.headers["content-type"] == "image/jpeg"
    assert Image.open(BytesIO(response.content)).size == (90, 60)
    assert client.get(f"/images/{ID[0]}").content == retriever.files[ID[0]]


def test_no_match_is_reported(client: TestClient, picture: Picture) -> None:
    assert searched(client, picture((255, 0, 255)))["known"] is False
    assert "car_retrieval_no_match_total 1.0" in client.get("/metrics").text


def test_without_a_threshold_known_is_null(
    client: TestClient, retriever: Any, picture: Picture
) -> None:
    retriever.threshold = None
    answer = searched(client, picture((255, 0, 255)))
    assert answer["known"] is None
    assert answer["threshold"] is None


def test_a_gallery_photo_does_not_find_itself(client: TestClient, retriever: Any) -> None:
    found = {match["id"] for match in searched(client, id=ID[2])["matches"]}
    assert found == {ID[0], ID[1], ID[3]}
    assert retriever.sizes == []  # its descriptor is stored


def test_a_part_of_a_gallery_photo(client: TestClient, retriever: Any) -> None:
    halves = Image.new("RGB", (40, 20), (220, 30, 30))
    halves.paste((30, 60, 210), (20, 0, 40, 20))
    file = BytesIO()
    halves.save(file, "PNG")
    retriever.files[ID[1]] = file.getvalue()
    assert searched(client, id=ID[1], crop="1,1,20,20")["matches"][0]["id"] == ID[0]
    assert searched(client, id=ID[1], crop="21,1,40,20")["matches"][0]["id"] == ID[2]


def test_a_part_of_a_photo(client: TestClient) -> None:
    halves = Image.new("RGB", (40, 20), (20, 200, 40))
    halves.paste((30, 60, 210), (20, 0, 40, 20))
    file = BytesIO()
    halves.save(file, "PNG")
    assert searched(client, file.getvalue(), crop="1,1,20,20")["matches"][0]["id"] == ID[1]
    assert searched(client, file.getvalue(), crop=" 21, 1, 40, 20")["matches"][0]["id"] == ID[2]


@pytest.mark.parametrize(
    ("crop", "proposal", "used"),
    [
        ("auto", (21, 1, 40, 20), [21, 1, 40, 20]),
        ("auto", None, None),
        ("1,1,20,20", (21, 1, 40, 20), [1, 1, 20, 20]),
        ("", (21, 1, 40, 20), None),
    ],
)
def test_the_response_has_the_crop_that_was_searched_with(
    client: TestClient, retriever: Any, crop: str, proposal: Any, used: Any
) -> None:
    retriever.proposal = proposal
    halves = Image.new("RGB", (40, 20), (20, 200, 40))
    halves.paste((30, 60, 210), (20, 0, 40, 20))
    file = BytesIO()
    halves.save(file, "PNG")
    answer = searched(client, file.getvalue(), crop=crop)
    assert answer["crop"] == used
    if used is not None:
        assert answer["matches"][0]["id"] == ID[2 if used[0] > 20 else 1]


def test_auto_uses_the_stored_descriptor_of_a_gallery_photo(
    client: TestClient, retriever: Any
) -> None:
    retriever.proposal = (1, 1, 2, 2)
    assert searched(client, id=ID[1], crop="auto")["crop"] is None
    assert retriever.sizes == []


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        ({"make": "beta"}, {2, 3}),
        ({"make": ""}, {0, 1, 2, 3}),
        ({"year_from": 2003}, {2, 3}),
        ({"year_to": 2002}, {0, 1}),
        ({"year_from": 2002, "year_to": 2003}, {1, 2}),
        ({"make": "Alpha", "year_from": 2003}, set()),
    ],
)
def test_filters(client: TestClient, picture: Picture, filters: Any, rows: set[int]) -> None:
    answer = searched(client, picture("red"), **filters)
    assert {match["id"] for match in answer["matches"]} == {ID[row] for row in rows}


def test_the_gallery_lists_its_filters(client: TestClient) -> None:
    assert client.get("/gallery").json() == {
        "version": "one",
        "photos": 4,
        "examples": ID,
        "makes": ["Alpha", "Beta"],
        "years": [2001, 2004],
        "methods": ["exact", "lopq"],
        "largest_k": 100,
        "fields": [],
        "writable": False,
        "untrained": None,
    }


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


FORM = "application/x-www-form-urlencoded"


def test_several_photos_are_combined(client: TestClient, retriever: Any, picture: Picture) -> None:
    photos = [("photo", ("p", picture("red"))), ("photo", ("p", picture("green")))]
    answer = client.post("/search", files=photos).json()
    similarity = {match["id"]: match["similarity"] for match in answer["matches"]}
    assert similarity[ID[0]] == pytest.approx(similarity[ID[1]])  # both, to their mean
    assert answer["known"] is answer["threshold"] is None  # measured for single photos
    assert retriever.sizes == [2]
    answer = client.post("/search", files=photos[:1], data={"id": ID[1:3]}).json()
    assert {match["id"] for match in answer["matches"]} == {ID[0], ID[3]}  # not those of the query


def test_matches_should_not_look_like_a_photo(client: TestClient, picture: Picture) -> None:
    def of_blue(**parts: Any) -> float:
        grey = {"photo": ("p", picture("grey"))}
        return next(
            match["similarity"]
            for match in client.post("/search", files=grey | parts).json()["matches"]
            if match["id"] == ID[2]
        )

    unlike = {"unlike": ("p", picture("blue"))}
    assert of_blue(**unlike) < of_blue() - 0.05
    ids = {"id": ID[3], "unlike_id": ID[2]}
    found = client.post("/search", data=ids).json()["matches"]
    assert {match["id"] for match in found} == set(ID[:2])
    broken = client.post("/search", files=unlike | {"photo": ("p", b"x")})
    assert broken.json()["detail"].startswith("photo: ")
    broken = client.post("/search", files={"photo": ("p", picture("red")), "unlike": ("p", b"x")})
    assert broken.json()["detail"].startswith("unlike: ")


def test_classes_of_the_matches(client: TestClient, picture: Picture) -> None:
    answer = searched(client, picture("red"), k=2)
    first, _ = answer["groups"]
    assert (first["class"], first["make"], first["matches"]) == (0, "Alpha", 1)
    assert first["years"] == [2001, 2001]
    assert first["similarity"] == answer["matches"][0]["similarity"]
    assert sum(group["share"] for group in answer["groups"]) == pytest.approx(1)


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


def test_an_internal_error_reveals_no_local_files(client: TestClient, retriever: Any) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("/home/somebody/model.safetensors is damaged")

    retriever.search = fail
    response = client.post("/search", data={"id": ID[1]})
    assert response.status_code == 500
    assert response.json().keys() == {"detail"}
    assert "model.safetensors" not in response.text


def test_metrics_count_by_route(client: TestClient, picture: Picture) -> None:
    client.get(f"/images/{ID[0]}")
    client.get(f"/images/{ID[1]}")
    client.get("/images/9")
    client.get("/never/heard/of")
    searched(client, picture("red"))
    text = client.get("/metrics").text
    for line in (
        'car_retrieval_requests_total{method="GET",route="/images/{id}",status="200"} 2.0',
        'car_retrieval_requests_total{method="GET",route="/images/{id}",status="404"} 1.0',
        'car_retrieval_requests_total{method="GET",route="other",status="404"} 1.0',
        'car_retrieval_request_seconds_count{route="/search"} 1.0',
        'car_retrieval_batch_size_bucket{le="1.0"} 1.0',
        "car_retrieval_gallery_photos 4.0",
        "car_retrieval_requests_under_way 1.0",
    ):
        assert line in text, line


def test_the_page_loads_nothing_from_other_hosts(client: TestClient) -> None:
    for address in ("/", "/page/page.css", "/page/page.js", "/page/call.js", "/page/crop.js"):
        response = client.get(address)
        assert response.status_code == 200
        text = response.text.replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text
        assert "https:" not in text
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {
        "/search",
        "/heat",
        "/preview",
        "/images/{id}",
        "/gallery",
        "/gallery/fields",
        "/gallery/{id}",
        "/metrics",
        "/health",
        "/ready",
    }
    assert "somebody" not in json.dumps(described)


def test_health(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"version": "one"}
