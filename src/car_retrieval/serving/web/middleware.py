"""Middleware that checks requests and sets response headers."""

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The page and the health checks need no key; they reveal nothing about the photos.
PUBLIC_PATHS = ("/", "/health", "/ready")
WITH_BODY = ("POST", "PUT")
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Limits:
    """Limits of the requests.

    Attributes:
        upload: maximum size of a request body in bytes.
        pixels: maximum size of a photo in pixels.
        k: maximum number of matches.
        requests: maximum number of searches and heat maps in progress, including their uploads.
    """

    upload: int = 20_000_000
    pixels: int = 50_000_000
    k: int = 100
    requests: int = 32


class GuardMiddleware:
    """Middleware that checks host, key, size and load, and sets the headers of every response.

    Args:
        app: the wrapped application.
        limits: limits of the requests.
        key: API key, expected as `Authorization: Bearer KEY`; None allows requests without one.
        hosts: allowed values of the Host header, without port; None allows any. Without a key, the
            check prevents DNS rebinding: a page of another site whose name resolves to this host
            could otherwise read the responses.
    """

    def __init__(
        self, app: ASGIApp, limits: Limits, key: str | None, hosts: Collection[str] | None
    ) -> None:
        self.app, self.limits, self.hosts, self.in_progress = app, limits, hosts, 0
        self.key_digest = None if key is None else _digest(key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request: pass it to the application or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._check(scope)
        if refusal is not None:
            await refusal(scope, receive, send_with_headers)
        elif scope["method"] not in WITH_BODY:
            await self.app(scope, receive, send_with_headers)
        else:
            self.in_progress += 1
            try:
                await self.app(scope, self._limit_body(receive), send_with_headers)
            finally:
                self.in_progress -= 1

    def _check(self, scope: Scope) -> JSONResponse | None:
        """Return the response that refuses a request, or None if it is allowed."""
        headers = Headers(scope=scope)
        if self.hosts is not None and _host_name(headers.get("host", "")) not in self.hosts:
            return error_response(
                400,
                f"invalid Host header: use {' or '.join(self.hosts)}, or start the service with "
                "--allowed-host=NAME",
            )
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if not self._is_authorized(path, headers):
            return error_response(401, "missing or invalid API key", {"WWW-Authenticate": "Bearer"})
        if scope["method"] not in WITH_BODY:
            return None
        if headers.get("content-type", "").split(";")[0].strip().lower() not in FORMS:
            return error_response(415, f"the content type must be {' or '.join(FORMS)}")
        length = headers.get("content-length", "0")
        if not length.isdecimal():
            return error_response(400, f"invalid Content-Length: {length!r}")
        if int(length) > self.limits.upload:
            return error_response(413, self._body_too_large())
        if self.in_progress >= self.limits.requests:
            reason = f"{self.in_progress} requests are in progress, try again later"
            return error_response(503, reason, {"Retry-After": "1"})
        return None

    def _is_authorized(self, path: str, headers: Headers) -> bool:
        if self.key_digest is None or path in PUBLIC_PATHS or path.startswith("/page/"):
            return True
        scheme, _, key = headers.get("authorization", "").partition(" ")
        correct = hmac.compare_digest(_digest(key.strip()), self.key_digest)
        return correct and scheme.lower() == "bearer"

    def _limit_body(self, receive: Receive) -> Receive:
        """Stop reading a body that exceeds the limit although its Content-Length did not say so."""
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.limits.upload:
                raise HTTPException(413, self._body_too_large())
            return message

        return limited

    def _body_too_large(self) -> str:
        return f"the request body exceeds the limit of {self.limits.upload / 1e6:g} MB"


def error_response(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Create an error response with the body `{"detail": detail}`."""
    return JSONResponse({"detail": detail}, status, headers)


def _host_name(header: str) -> str:
    """Strip the port of a Host header: `host:port` or `[::1]:port`."""
    return header if header.endswith("]") else header.rpartition(":")[0] or header


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()  # equal lengths, for a comparison in constant time
