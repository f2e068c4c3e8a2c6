"""Middleware for a service below a path of another server."""

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class RootPathMiddleware:
    """Middleware that tells the application below which path it is reached.

    A proxy may strip the path from its requests or not; a health check may not know it at all.
    uvicorn's own option expects that it is stripped.

    Args:
        app: the wrapped application.
        root_path: the path, such as `/cars`, without a slash at the end.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self.app, self.root_path = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request as one below the path."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if path == self.root_path:  # the page's own addresses are relative to its folder
            await RedirectResponse(f"{path}/")(scope, receive, send)
            return
        if not path.startswith(f"{self.root_path}/"):
            path = self.root_path + path
        await self.app({**scope, "path": path, "root_path": self.root_path}, receive, send)
