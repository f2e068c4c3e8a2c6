"""The service below a path of a reverse proxy, and used by pages of other sites."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from car_retrieval.cli import cli
from car_retrieval.gallery.record import photo_id
from car_retrieval.serving.web.app import create_app
from car_retrieval.serving.web.serve import Deployment

ID = photo_id("cars/red.png")
PASSED_ON = ("authorization", "content-type")
HOP_BY_HOP = {"content-length", "connection", "transfer-encoding", "content-encoding"}


def reverse_proxy(target: str, strips: bool) -> Starlette:
    """Return a proxy that offers `target` below /cars."""

    async def forward(request: Request) -> Response:
        path = request.url.path.removeprefix("/cars") if strips else request.url.path
        async with httpx2.AsyncClient() as client:
            answer = await client.request(
                request.method,
                f"{target}{path}",
                params=str(request.query_params),
                content=await request.body(),
                headers={"X-Forwarded-Proto": "https"}
                | {name: request.headers.get(name, "") for name in PASSED_ON},
            )
        kept = {name: value for name, value in answer.headers.items() if name not in HOP_BY_HOP}
        return Response(answer.content, answer.status_code, kept)

    return Starlette(
        routes=[Route("/cars{rest:path}", forward, methods=["GET", "POST", "OPTIONS"])]
    )


@pytest.fixture(params=[True, False], ids=["stripped", "not stripped"])
def proxied(request: pytest.FixtureRequest, reloader: Any, served: Any) -> Iterator[str]:
    """Return the address of the service behind a proxy, without a slash at its end."""
    app = create_app(reloader, key="sesame", root_path="/cars")
    with served(app) as service, served(reverse_proxy(service.url, request.param)) as proxy:
        yield f"{proxy.url}/cars"


@pytest.fixture
def below(reloader: Any) -> Iterator[TestClient]:
    with TestClient(create_app(reloader, root_path="/cars")) as client:
        yield client


def test_page_and_health_are_public_below_the_path(proxied: str) -> None:
    for address in ("/", "/page/page.js", "/health", "/ready"):
        assert httpx2.get(proxied + address).status_code == 200
    assert httpx2.get(f"{proxied}/gallery").status_code == 401
    assert httpx2.get(f"{proxied}/nothing").status_code == 401


def test_redirects_stay_below_the_path_and_the_proxys_scheme(proxied: str) -> None:
    again = httpx2.get(f"{proxied}/gallery/", headers={"Authorization": "Bearer sesame"})
    assert again.headers["Location"].startswith("https://")
    assert again.headers["Location"].endswith("/cars/gallery")


@pytest.mark.parametrize("prefix", ["", "/cars"])
def test_addresses_in_answers_have_the_path(below: TestClient, prefix: str) -> None:
    answer = below.post(f"{prefix}/search", data={"id": ID}).json()
    image = answer["matches"][0]["image"]
    assert image.startswith("/cars/images/")
    assert below.get(image).status_code == 200
    described = below.get(f"{prefix}/openapi.json").json()
    assert described["servers"] == [{"url": "/cars"}]
    assert "/search" in described["paths"]
    assert below.get(f"{prefix}/page/page.css").status_code == 200


def test_without_a_slash_the_page_is_redirected(below: TestClient) -> None:
    assert below.get("/cars", follow_redirects=False).headers["Location"] == "/cars/"
    assert "Search by photo" in below.get("/cars").text
    assert below.get("/carsharing").status_code == 404


def test_metrics_count_the_same_routes_below_a_path(below: TestClient) -> None:
    below.get(f"/cars/images/{ID}")
    below.get(f"/images/{ID}")
    assert 'route="/images/{id}",status="200"} 2.0' in below.get("/metrics").text


def test_pages_of_listed_origins_may_use_the_service(reloader: Any) -> None:
    origin = "https://example.com"
    app = create_app(reloader, key="sesame", root_path="/cars", cors_origins=[origin])
    with TestClient(app) as client:
        asked = {"Access-Control-Request-Method": "POST"}
        asked |= {"Access-Control-Request-Headers": "authorization"}
        before = client.options("/cars/search", headers={"Origin": origin} | asked)
        assert before.status_code == 200
        assert before.headers["Access-Control-Allow-Origin"] == origin
        other = client.options("/search", headers={"Origin": "https://evil.example"} | asked)
        assert "Access-Control-Allow-Origin" not in other.headers
        refused = client.get("/gallery", headers={"Origin": origin})
        assert refused.status_code == 401
        assert refused.headers["Access-Control-Allow-Origin"] == origin  # its reason can be read


def test_no_other_site_may_use_it_unless_listed(client: TestClient) -> None:
    answer = client.get("/gallery", headers={"Origin": "https://example.com"})
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("path", ["cars", "/cars/", "/", "/a//b", "/a b", "https://x/cars"])
def test_malformed_root_paths(path: str) -> None:
    with pytest.raises(ValueError, match=f"--root-path: '{path}'"):
        Deployment(root_path=path)


@pytest.mark.parametrize("origin", ["example.com", "https://example.com/", "https://a.b/c"])
def test_malformed_origins(origin: str) -> None:
    result = CliRunner().invoke(cli, ["serve", f"--cors-origin={origin}"])
    assert result.exit_code == 1
    assert f"--cors-origin: '{origin}'" in result.output


def test_well_formed_values() -> None:
    for path in ("", "/cars", "/shops/cars-2"):
        assert Deployment(root_path=path).root_path == path
    Deployment(cors_origins=("*", "http://localhost:3000", "https://example.com"))
