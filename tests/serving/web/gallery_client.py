"""Client of a service whose gallery can be changed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.serving.conftest import ENV

from car_retrieval.serving.run_artifacts import open_retriever
from car_retrieval.serving.web.app import create_app
from car_retrieval.serving.web.model_reloader import ModelReloader

KEY = {"Authorization": "Bearer secret"}


def service(project: Path, key: str | None) -> TestClient:
    retriever = open_retriever(ENV, project)
    reloader = ModelReloader(
        retriever, lambda: retriever.versions, lambda: retriever, interval=3600
    )
    headers = KEY if key else {}
    return TestClient(create_app(reloader, key=key), headers=headers)


@pytest.fixture
def client(own_project: Path) -> Iterator[TestClient]:
    with service(own_project, "secret") as client:
        yield client


def post(client: TestClient, data: bytes, name: str = "new.jpg", **form: Any) -> Any:
    return client.post("/gallery", files={"photo": (name, data)}, data=form)


def best(client: TestClient, data: bytes, **form: Any) -> Any:
    response = client.post("/search", files={"photo": ("p", data)}, data={"k": 1, **form})
    assert response.status_code == 200, response.text
    return response.json()["matches"][0]
