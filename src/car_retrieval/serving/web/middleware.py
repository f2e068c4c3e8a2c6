"""Middleware: checks of every request, and headers of every answer."""

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The page and whether the service lives are told to everybody; they say nothing of the photos.
OPEN = ("/", "/health", "/ready")
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
    """What one request, and all at a time, may take.

    Attributes:
        upload: bytes of a request's body.
        pixels: of a photo.
        k: matches.
        requests: searches and heat maps under way at a time, uploading included.
    """

    upload: int = 20_000_000
    pixels: int = 50_000_000
    k: int = 100
    requests: int = 32


class Guard:
    """Middleware that checks key, size and load, and sets the headers of every answer.

    Args:
        app: what is guarded.
        limits: see there.
        key: what a request must bring as `Authorization: Bearer KEY`; None asks for nothing.
        hosts: names by which the service may be called; None: any. Where nobody needs a key, a page
            of another site could otherwise let its own name point here, and read the answers.
    """

    def __init__(
        self, app: ASGIApp, limits: Limits, key: str | None, hosts: Collection[str] | None
    ) -> None:
        self.app, self.limits, self.hosts, self.under_way = app, limits, hosts, 0
        self.key = None if key is None else _digest(key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, marked)
        elif scope["method"] != "POST":
            await self.app(scope, receive, marked)
        else:
            self.under_way += 1
            try:
                await self.app(scope, self._counted(receive), marked)
            finally:
                self.under_way -= 1

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        if self.hosts is not None and _name(headers.get("host", "")) not in self.hosts:
            return refused(400, f"without a key it answers to {' and '.join(self.hosts)} only")
        if not self._may_pass(scope["path"], headers):
            return refused(401, "this service wants a key", {"WWW-Authenticate": "Bearer"})
        if scope["method"] != "POST":
            return None
        if headers.get("content-type", "").split(";")[0].strip().lower() not in FORMS:
            return refused(415, f"send a form ({' or '.join(FORMS)})")
        length = headers.get("content-length", "0")
        if not length.isdecimal():
            return refused(400, f"Content-Length is {length!r}")
        if int(length) > self.limits.upload:
            return refused(413, self._too_much())
        if self.under_way >= self.limits.requests:
            many = f"{self.under_way} requests are under way, try again"
            return refused(503, many, {"Retry-After": "1"})
        return None

    def _may_pass(self, path: str, headers: Headers) -> bool:
        if self.key is None or path in OPEN or path.startswith("/page/"):
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(_digest(given.strip()), self.key)
        return right and scheme.lower() == "bearer"

    def _counted(self, receive: Receive) -> Receive:
        """Stop a body that says no length, or the wrong one, where it grows too long."""
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > self.limits.upload:
                raise HTTPException(413, self._too_much())
            return message

        return counted

    def _too_much(self) -> str:
        return f"a request may be {self.limits.upload / 1e6:g} MB large at most"


def refused(status: int, why: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer to a request that is not served: `{"detail": why}`."""
    return JSONResponse({"detail": why}, status, headers)


def _name(host: str) -> str:
    """`host` or `[::1]` of `host:port` or `[::1]:port`."""
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()  # of one length, so that comparing takes one time
