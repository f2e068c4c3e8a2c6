"""Requests to a service of four coloured photos."""

from typing import Any

from fastapi.testclient import TestClient

from car_retrieval.gallery.record import photo_id

COLOURS = ("red", "green", "blue", "grey")  # of the gallery


ID = [photo_id(f"cars/{name}.png") for name in COLOURS]


def searched(client: TestClient, data: bytes | None = None, **form: Any) -> Any:
    files = None if data is None else {"photo": ("photo", data)}
    response = client.post("/search", files=files, data=form)
    assert response.status_code == 200, response.text
    return response.json()
