"""Search over HTTP: a FastAPI service and its page. Needs the extra `serve`."""
