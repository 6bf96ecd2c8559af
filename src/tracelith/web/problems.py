"""Errors as the reader needs them: problem JSON (RFC 9457) for programs, a page for people."""

from http import HTTPStatus
from typing import Any, NotRequired

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from jinja2 import Environment
from starlette.exceptions import HTTPException
from typing_extensions import TypedDict  # pydantic reads the standard one only from Python 3.12 on

from tracelith.model.errors import InputError, Overloaded, StoreError
from tracelith.web.security import SECURITY_HEADERS

__all__ = ["Problem", "handle_problems"]

_MOST_ERRORS = 20


class Problem(TypedDict):
    """What went wrong, as application/problem+json."""

    type: str
    title: str
    status: int
    detail: str  # what was expected, what came, what to do next
    errors: NotRequired[list[dict[str, str]]]  # [{at, expected}], one per unusable part of the body


def handle_problems(app: FastAPI, templates: Environment) -> None:
    """Answers every error under /api with problem JSON and every other with a page."""

    def answer(request: Request, status: int, detail: str, errors: list[dict[str, str]] | None = None) -> Response:
        title = HTTPStatus(status).phrase
        if not request.url.path.startswith(("/api/", "/healthz", "/readyz", "/metrics")):
            page = templates.get_template("error.html").render(title=title, status=status, detail=detail)
            return Response(page, status, media_type="text/html")
        problem: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        if errors is not None:
            problem["errors"] = errors
        return JSONResponse(problem, status, media_type="application/problem+json")

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - narrows the type the handler was registered for
        response = answer(request, error.status_code, str(error.detail))
        response.headers.update(error.headers or {})
        return response

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - narrows the type the handler was registered for
        errors = [{"at": _place(item["loc"]), "expected": item["msg"]} for item in error.errors()[:_MOST_ERRORS]]
        first = errors[0] if errors else {"at": "request", "expected": "something else"}
        return answer(request, 422, f"{first['at']}: {first['expected']}", errors)

    async def input_error(request: Request, error: Exception) -> Response:
        return answer(request, 400, str(error))

    async def overloaded(request: Request, error: Exception) -> Response:
        assert isinstance(error, Overloaded)  # noqa: S101 - narrows the type the handler was registered for
        response = answer(request, 503, str(error))
        response.headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
        return response

    async def store_error(request: Request, error: Exception) -> Response:
        return answer(request, 503, str(error))

    async def crash(request: Request, _: Exception) -> Response:
        response = answer(request, 500, "Something failed on our side; the log of the server says more.")
        response.headers.update(SECURITY_HEADERS)  # this handler sits outside all middleware
        return response

    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(InputError, input_error)
    app.add_exception_handler(Overloaded, overloaded)
    app.add_exception_handler(StoreError, store_error)
    app.add_exception_handler(Exception, crash)


def _place(location: tuple[int | str, ...]) -> str:
    """Where in the request, without pydantic's name for the form of the body (one deployment, or many)."""
    parts = [str(part) for part in location]
    if parts[:1] == ["body"] and parts[1:2] in (["one"], ["many"]):
        del parts[1]
    return ".".join(parts)
