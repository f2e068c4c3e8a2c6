"""Responses of the service, including every kind of error."""

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from tests.serving.web.searching import ID, searched

Picture = Callable[..., bytes]


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
