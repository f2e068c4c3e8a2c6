"""Reloading of newer runs, load limits, and graceful shutdown."""

import asyncio
import logging
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from tests.serving.conftest import ENV, catalog_of, write_run

from car_retrieval.gallery.record import photo_id
from car_retrieval.serving.run_artifacts import latest_versions, open_retriever
from car_retrieval.serving.web.app import create_app
from car_retrieval.serving.web.middleware import Limits
from car_retrieval.serving.web.model_reloader import ModelReloader

ID = [photo_id(f"cars/{name}.png") for name in ("red", "green")]


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_newer_run_is_loaded(retriever: Any) -> None:
    make = type(retriever)
    newest = "one"
    reloader = ModelReloader(retriever, lambda: (newest,), lambda: make(newest), interval=0.01)
    with TestClient(create_app(reloader)) as client:
        assert client.get("/ready").json() == {"version": "one"}
        newest = "two"
        until(lambda: client.get("/ready").json() == {"version": "two"})
        assert client.post("/search", data={"id": ID[0]}).json()["version"] == "two"


def test_requests_in_progress_keep_their_run(retriever: Any, picture: Callable[..., bytes]) -> None:
    newest = "one"
    other = type(retriever)("two")
    other.files[ID[0]] = other.files[ID[1]]
    reloader = ModelReloader(retriever, lambda: (newest,), lambda: other, interval=0.01)
    begun, go = threading.Event(), threading.Event()
    prepare = retriever.prepare

    def slow(*arguments: Any) -> Any:
        begun.set()
        go.wait(10)
        return prepare(*arguments)

    retriever.prepare = slow
    with TestClient(create_app(reloader)) as client, ThreadPoolExecutor(1) as pool:
        files = {"photo": ("photo", picture("red"))}
        answer = pool.submit(lambda: client.post("/search", files=files).json())
        begun.wait(10)
        newest = "two"
        until(lambda: client.get("/ready").json() == {"version": "two"})
        go.set()
        assert answer.result(10)["version"] == "one"
        assert client.post("/search", files=files).json()["version"] == "two"


def test_a_broken_run_does_not_replace_the_current_one(
    retriever: Any, caplog: pytest.LogCaptureFixture
) -> None:
    newest, broken = "two", True

    def reopen() -> Any:
        if broken:
            raise ValueError("model.safetensors is damaged")
        return type(retriever)(newest)

    reloader = ModelReloader(retriever, lambda: (newest,), reopen, interval=0.01)
    with caplog.at_level(logging.ERROR), TestClient(create_app(reloader)) as client:
        until(lambda: reloader.failures >= 2)
        assert client.get("/ready").json() == {"version": "one"}
        assert client.post("/search", data={"id": ID[0]}).status_code == 200
        assert f"car_retrieval_reload_failures {reloader.failures}." in client.get("/metrics").text
        broken = False
        until(lambda: client.get("/ready").json() == {"version": "two"})
    assert "still serving run one" in caplog.text
    assert "is damaged" in caplog.text


def test_a_run_is_loaded_once_it_is_evaluated(searchable: Path, tmp_path: Path) -> None:
    """The artifacts appear in the order in which a run saves them."""
    project = tmp_path / "own"
    shutil.copytree(searchable, project, symlinks=True)
    reloader = ModelReloader(
        open_retriever(ENV, project),
        lambda: latest_versions(ENV, project),
        lambda: open_retriever(ENV, project),
    )
    first = reloader.retriever
    write_run(project, "2026-02-01")
    late = sorted((project / "data/06_models/independent").glob("*[xd].*/2026-02-01"))
    assert [folder.parent.name.split(".")[0] for folder in late] == [
        "lopq_index",
        "no_match_threshold",
    ]
    for folder in late:
        folder.rename(tmp_path / folder.parent.name)
    for folder in late:
        reloader._reload_if_newer()
        assert reloader.retriever is first
        (tmp_path / folder.parent.name).rename(folder)
    reloader._reload_if_newer()
    second = reloader.retriever
    assert second.version == "2026-02-01"
    assert second.methods == ["exact", "lopq"]
    assert second.threshold == 0.9
    reloader._reload_if_newer()
    assert reloader.retriever is second
    catalog = catalog_of(project, "2026-03-01")  # evaluated again
    catalog.save("no_match_threshold", catalog.load("no_match_threshold") | {"threshold": 0.8})
    reloader._reload_if_newer()
    assert reloader.retriever.threshold == 0.8


def test_a_run_that_was_incomplete_at_the_start_is_reloaded_when_complete(
    searchable: Path, tmp_path: Path
) -> None:
    project = tmp_path / "own"
    shutil.copytree(searchable, project, symlinks=True)
    models = project / "data/06_models/independent"
    late = [*models.glob("lopq_index*/*"), *models.glob("no_match_threshold*/*")]
    for folder in late:
        folder.rename(tmp_path / folder.parent.name)
    reloader = ModelReloader(
        open_retriever(ENV, project),
        lambda: latest_versions(ENV, project),
        lambda: open_retriever(ENV, project),
    )
    assert (reloader.retriever.methods, reloader.retriever.threshold) == (["exact"], None)
    for folder in late:
        (tmp_path / folder.parent.name).rename(folder)
    reloader._reload_if_newer()
    assert (reloader.retriever.methods, reloader.retriever.threshold) == (["exact", "lopq"], 0.9)


def test_a_run_that_fails_to_encode_is_not_loaded(retriever: Any) -> None:
    other = type(retriever)("two")

    def fail(images: Any) -> Any:
        raise RuntimeError("shapes differ")

    other.describe = fail
    reloader = ModelReloader(retriever, lambda: ("two",), lambda: other, interval=0.01)

    async def watch() -> None:
        watching = asyncio.create_task(reloader.watch())
        await asyncio.sleep(0.1)
        watching.cancel()

    asyncio.run(watch())
    assert reloader.retriever is retriever
    assert reloader.failures


def test_concurrent_clients_get_the_same_results_as_one(
    retriever: Any, reloader: ModelReloader, served: Any, picture: Callable[..., bytes]
) -> None:
    colours = [(index * 9, 255 - index * 8, 100 + index * 4) for index in range(24)]
    photos = [picture(colour) for colour in colours]
    with served(create_app(reloader)) as service, httpx2.Client(timeout=30) as client:

        def search(data: bytes) -> Any:
            response = client.post(f"{service.url}/search", files={"photo": ("photo", data)})
            assert response.status_code == 200, response.text
            return [
                (match["id"], pytest.approx(match["similarity"]))
                for match in response.json()["matches"]
            ]

        alone = [search(data) for data in photos]
        retriever.sizes.clear()
        retriever.pause = 0.02
        with ThreadPoolExecutor(12) as pool:
            assert list(pool.map(search, photos)) == alone
    assert sum(retriever.sizes) == len(photos)
    assert max(retriever.sizes) > 1
    assert {name.rsplit("_", 1)[0] for name in retriever.threads} <= {"search", "photo"}


def test_too_many_concurrent_requests_are_refused(
    retriever: Any, reloader: ModelReloader, served: Any, picture: Callable[..., bytes]
) -> None:
    retriever.pause = 0.3
    data = picture("red")
    with served(create_app(reloader, Limits(requests=2))) as service, ThreadPoolExecutor(6) as pool:

        def search(_: int) -> httpx2.Response:
            return httpx2.post(f"{service.url}/search", files={"photo": ("photo", data)})

        answers = list(pool.map(search, range(6)))
        states = sorted(answer.status_code for answer in answers)
        assert states[0] == 200
        assert states[-1] == 503
        refused = next(answer for answer in answers if answer.status_code == 503)
        assert refused.headers["Retry-After"] == "1"
        assert "try again" in refused.json()["detail"]
        assert search(0).status_code == 200  # places are given back
    assert max(retriever.sizes) <= 2


def test_heat_maps_leave_room_for_searches(
    retriever: Any, reloader: ModelReloader, served: Any
) -> None:
    go, drawing = threading.Event(), []
    heat = retriever.heat

    def slow(*arguments: Any) -> Any:
        drawing.append(threading.current_thread().name)
        go.wait(10)
        return heat(*arguments)

    retriever.heat = slow
    with served(create_app(reloader)) as service, ThreadPoolExecutor(12) as pool:

        def draw(_: int) -> int:
            data = {"id": ID[0], "match": ID[1]}
            return httpx2.post(f"{service.url}/heat", data=data, timeout=30).status_code

        asked = [pool.submit(draw, number) for number in range(12)]
        until(lambda: sum(one.done() for one in asked) == 4)  # 8 wait, or are drawn
        assert httpx2.post(f"{service.url}/search", data={"id": ID[0]}).status_code == 200
        go.set()
        assert sorted(one.result(10) for one in asked) == [200] * 8 + [503] * 4
    assert {name.rsplit("_", 1)[0] for name in drawing} == {"short-lived"}


def test_no_heat_map_is_drawn_after_a_disconnect(
    retriever: Any, reloader: ModelReloader, served: Any
) -> None:
    go, drawn = threading.Event(), []
    heat = retriever.heat

    def slow(*arguments: Any) -> Any:
        drawn.append(arguments)
        go.wait(10)
        return heat(*arguments)

    retriever.heat = slow
    with served(create_app(reloader)) as service, ThreadPoolExecutor(1) as pool:

        def draw(timeout: float) -> int:
            data = {"id": ID[0], "match": ID[1]}
            return httpx2.post(f"{service.url}/heat", data=data, timeout=timeout).status_code

        first = pool.submit(draw, 30)
        until(lambda: len(drawn) == 1)
        with pytest.raises(httpx2.ReadTimeout):
            draw(0.2)
        go.set()
        assert first.result(10) == 200
        assert draw(30) == 200
    assert len(drawn) == 2


def test_requests_in_progress_finish_before_shutdown(
    retriever: Any, reloader: ModelReloader, served: Any, picture: Callable[..., bytes]
) -> None:
    retriever.pause = 0.3
    files = {"photo": ("photo", picture("red"))}
    with served(create_app(reloader)) as service, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(lambda: httpx2.post(f"{service.url}/search", files=files))
        until(lambda: bool(retriever.sizes))
        service.server.should_exit = True
        assert answer.result(10).status_code == 200
        service.thread.join(10)
        assert not service.thread.is_alive()
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"{service.url}/health")
