"""Errors of the service, as its OpenAPI description lists them."""

from typing import Any

from car_retrieval.serving.web.schemas import ErrorResponse

ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorResponse, "description": "The form is malformed"},
    401: {"model": ErrorResponse, "description": "The API key is missing or invalid"},
    403: {"model": ErrorResponse, "description": "The gallery cannot be changed without a key"},
    404: {"model": ErrorResponse, "description": "The gallery photo does not exist"},
    413: {"model": ErrorResponse, "description": "The upload has too many bytes or pixels"},
    415: {"model": ErrorResponse, "description": "The body is not a form or the photo no picture"},
    422: {"model": ErrorResponse, "description": "A value is invalid or the photo damaged"},
    503: {"model": ErrorResponse, "description": "Too many requests in progress: see Retry-After"},
}
