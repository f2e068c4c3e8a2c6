"""A retriever that compares colours, and services that use it."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import uvicorn
from fastapi.testclient import TestClient
from PIL import Image

from car_retrieval.gallery.living import LivingGallery
from car_retrieval.gallery.record import GalleryRecord, photo_id
from car_retrieval.gallery.store import GalleryStore
from car_retrieval.images.decode import decode
from car_retrieval.serving.retriever import Filters, SearchResult
from car_retrieval.serving.search_result import match_of
from car_retrieval.serving.web.app import create_app
from car_retrieval.serving.web.middleware import Limits
from car_retrieval.serving.web.model_reloader import ModelReloader

COLOURS = {
    "red": (220, 30, 30),
    "green": (20, 200, 40),
    "blue": (30, 60, 210),
    "grey": (90, 90, 90),
}
SIDE = 16


def photo(
    colour: Any, size: tuple[int, int] = (64, 48), form: str = "PNG", **options: Any
) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, COLOURS.get(colour, colour)).save(file, form, **options)
    return file.getvalue()


def mean_of(colour: tuple[int, int, int]) -> np.ndarray:
    mean = np.array(colour, float)
    return (mean / np.linalg.norm(mean)).astype(np.float32)


class ColourRetriever:
    """Descriptors are mean colours; the gallery is one photo of each of four colours."""

    def __init__(self, version: str = "one", threshold: float | None = 0.98) -> None:
        self.version, self.threshold = version, threshold
        self.methods = ["exact", "lopq"]
        self.makes, self.years = ["Alpha", "Beta"], (2001, 2004)
        photos = pd.DataFrame(
            {
                "Path": [f"cars/{name}.png" for name in COLOURS],
                "Class": range(4),
                "MakeName": ["Alpha", "Alpha", "Beta", "Beta"],
                "Year": [2001, 2002, 2003, 2004],
                "Hash": [f"{row:032x}" for row in range(4)],
            }
        )
        vectors = np.array([mean_of(colour) for colour in COLOURS.values()])
        self.gallery = LivingGallery(photos, vectors, GalleryStore("/nowhere"), "")
        self.files = {photo_id(f"cars/{name}.png"): photo(name) for name in COLOURS}
        self.sizes: list[int] = []  # of the encoded batches
        self.pause = 0.0  # seconds that encoding takes
        self.threads: set[str] = set()
        self.proposal: tuple[int, int, int, int] | None = None
        self.untrained: str | None = None

    @property
    def versions(self) -> tuple[str, ...]:
        return (self.version,)

    def prepare(self, data: bytes | Image.Image, crop: tuple[int, ...] | None = None) -> np.ndarray:
        image = Image.fromarray(decode(data).pixels) if isinstance(data, bytes) else data
        if crop:
            x1, y1, x2, y2 = crop
            if x2 > image.width or y2 > image.height:
                raise ValueError("the crop lies outside")
            image = image.crop((x1 - 1, y1 - 1, x2, y2))
        return np.ascontiguousarray(np.asarray(image.resize((SIDE, SIDE))).transpose(2, 0, 1))

    def propose(self, data: bytes) -> tuple[int, int, int, int] | None:
        return self.proposal

    def describe(self, images: np.ndarray) -> np.ndarray:
        self.sizes.append(len(images))
        self.threads.add(threading.current_thread().name)
        time.sleep(self.pause)
        means = images.mean((2, 3))
        norms = np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
        return (means / norms).astype(np.float32)

    def search(
        self,
        descriptors: np.ndarray,
        k: int = 10,
        method: str = "exact",
        filters: Filters = Filters(),  # noqa: B008
        exclude: Sequence[str] = (),
    ) -> list[SearchResult]:
        seen = self.gallery.snapshot()
        passing = np.flatnonzero(seen.present & filters.mask(seen.photos))
        rows = [row for row in passing if seen.ids[row] not in exclude]
        gallery = [seen.vector(row) for row in rows]
        results = []
        for descriptor in descriptors:
            scores = [float(descriptor @ other) for other in gallery]
            best = sorted(range(len(rows)), key=lambda i: -scores[i])[:k]
            matches = [match_of(seen.ids[rows[i]], seen.photo(rows[i]), scores[i]) for i in best]
            above = None
            if matches and self.threshold is not None:
                above = matches[0].similarity >= self.threshold
            results.append(SearchResult(matches, self.threshold, above))
        return results

    def image(self, photo: str) -> bytes:
        if self.files[photo] is None:
            raise FileNotFoundError("/home/somebody/photos/cars/red.png")
        return self.files[photo]

    def record(self, photo: str) -> GalleryRecord:
        return self.gallery.snapshot().record(self._row(photo))

    def packed(self, photo: str) -> np.ndarray:
        return self.prepare(self.image(photo))

    def descriptor(self, photo: str) -> np.ndarray:
        return self.gallery.snapshot().vector(self._row(photo))

    def _row(self, photo: str) -> int:
        row = self.gallery.row_of(photo)
        assert row is not None
        return row

    def heat(self, image: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.tensordot(other, image.astype(np.float32), 1)


@pytest.fixture
def retriever() -> ColourRetriever:
    return ColourRetriever()


@pytest.fixture
def reloader(retriever: ColourRetriever) -> ModelReloader:
    return ModelReloader(retriever, lambda: ("one",), ColourRetriever, interval=3600)


@pytest.fixture
def client(reloader: ModelReloader) -> Iterator[TestClient]:
    with TestClient(create_app(reloader), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def limited(reloader: ModelReloader) -> Callable[..., TestClient]:
    """Return a function that creates a client of a service with limits or a key."""

    def make(key: str | None = None, **limits: int) -> TestClient:
        return TestClient(create_app(reloader, Limits(**limits), key))

    return make


@contextmanager
def listening(app: Any) -> Iterator[SimpleNamespace]:
    """Run a server on a free port; yields its `url`, `server` and `thread`."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=5)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield SimpleNamespace(url=f"http://127.0.0.1:{port}", server=server, thread=thread)
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def served() -> Callable[[Any], Any]:
    return listening


@pytest.fixture(scope="session")
def picture() -> Callable[..., bytes]:
    return photo


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser for the tests of the page; they are skipped without one."""
    pytest.importorskip("websockets", reason="the extra `browser` is not installed")
    from tests.browser import CHROMIUM, Browser

    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture
def page(browser: Any, reloader: ModelReloader) -> Iterator[SimpleNamespace]:
    """Yield an open page, and the queries sent to its service."""
    asked: list[Any] = []
    app = create_app(reloader)
    submit = app.state.service.batcher.submit

    async def recorded(prepare: Callable[[], Any]) -> Any:
        query = prepare()
        asked.append(query)
        return await submit(lambda: query)

    app.state.service.batcher.submit = recorded
    browser.look(1280, 900)
    browser.requests.clear()
    browser.complaints.clear()
    with listening(app) as service:
        browser.open(f"{service.url}/")
        browser.wait("document.querySelectorAll('#make option').length === 3")
        yield SimpleNamespace(browser=browser, asked=asked, url=service.url)
        assert browser.complaints == []
        assert {url.split("/")[2] for url in browser.requests if url.startswith("http")} == {
            service.url.split("/")[2]
        }
        browser.open("about:blank")


@pytest.fixture
def red(tmp_path: Path) -> Path:
    file = tmp_path / "red.png"
    file.write_bytes(photo((210, 40, 40), size=(400, 300)))
    return file
