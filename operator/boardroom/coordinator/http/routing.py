"""Routing to endpoints, and the responses to errors: in the API's shape, in OpenAI's, and for unknown routes."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from boardroom.coordinator.errors import ApiError, Internal, MethodNotAllowed, NotFound
from boardroom.coordinator.http import openai
from boardroom.coordinator.http.requests import JSON, valid_request_id
from boardroom.coordinator.metrics import Metrics

ROUTES: Final = (
    "POST /v1/ask, GET and DELETE /v1/conversations/{conv_id}, GET /v1/agents, GET /v1/health, GET /v1/models, "
    "POST /v1/chat/completions, GET /openapi.json"
)


class DirectRoutes:
    """Calls the endpoint of a path without parameters directly, and Starlette for every other request."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self._endpoints = {
            (method, route.path): route.app
            for route in app.routes
            if isinstance(route, Route) and not route.param_convertors
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request (ASGI)."""
        endpoint = self._endpoints.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        await (endpoint or self._app)(scope, receive, send)


def api_error(problem: ApiError, request_id: str, headers: dict[str, str] | None = None) -> Response:
    """The response to an error in the API's shape."""
    return Response(
        problem.body(),
        status_code=problem.status,
        media_type=JSON,
        headers={"x-request-id": request_id} | problem.headers | (headers or {}),
    )


def openai_error(problem: ApiError, request_id: str) -> Response:
    """The response to an error in OpenAI's shape."""
    return Response(
        openai.problem_body(problem),
        status_code=openai.problem_status(problem),
        media_type=JSON,
        headers={"x-request-id": request_id} | problem.headers,
    )


def _allowed(request: Request) -> str:
    """The methods of all routes with this path; Starlette names those of the first one only."""
    routes = [r for r in request.app.routes if isinstance(r, Route) and r.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(sorted({method for route in routes for method in route.methods or ()}))


def not_routed(metrics: Metrics) -> Callable[[Request, Exception], Awaitable[Response]]:
    """The handler for unknown routes and methods. Metrics count all of them under one label."""

    async def handler(request: Request, error: Exception) -> Response:
        request_id = valid_request_id(request.headers.get("x-request-id")) or secrets.token_hex(8)
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = {k.lower(): v for k, v in (error.headers or {}).items()} if isinstance(error, HTTPException) else {}
        problem: ApiError
        if status == MethodNotAllowed.status:
            problem = MethodNotAllowed(f"{request.method} is not allowed here; the routes are {ROUTES}")
            headers["allow"] = _allowed(request)
        elif status == NotFound.status:
            problem = NotFound(f"there is no {request.scope['path']}; the routes are {ROUTES}")
        else:
            problem = Internal(str(error))
        metrics.request("other", "", problem.status, 0.0, problem.code)
        return api_error(problem, request_id, headers)

    return handler
