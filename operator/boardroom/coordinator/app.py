"""The HTTP surface: the API's routes, and the probes and metrics on a port of their own."""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Final

import orjson
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from boardroom.api.ask import AskResponse
from boardroom.coordinator import openai, views
from boardroom.coordinator.auth.bearer import Authenticator
from boardroom.coordinator.coordinator import Coordinator
from boardroom.coordinator.problems import AskProblem, Internal, MethodNotAllowed, NotFound, NotReady, UnknownModel
from boardroom.coordinator.questions import parse, read_body, request_id_of
from boardroom.coordinator.roster import Roster

JSON: Final = "application/json"
METRICS_SECONDS: Final = 1.0
"""A page of metrics is served again for so long: rendering one takes milliseconds of the loop that answers."""

Refuse = Callable[[AskProblem, str], Response]
"""A problem and the request id to the error in the shape of its route."""

_LOG = logging.getLogger(__name__)
_CLIENT_CLOSED: Final = 499
ROUTES: Final = "POST /v1/ask, GET /v1/agents, GET /v1/health, GET /v1/models, POST /v1/chat/completions"
Handler = Callable[[Request, str], Awaitable[tuple[bytes, str]]]
"""Request and request id to body and mode (a label of the metrics; empty but for questions)."""


class Api:
    """The handlers; each returns its body or raises AskProblem."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator
        self._created = int(time.time())

    async def ask(self, request: Request, request_id: str) -> tuple[bytes, str]:
        began = asyncio.get_running_loop().time()
        question = parse(await read_body(request))
        answer = await self._coordinator.ask(question, request_id, began)
        _log(answer, request)
        return answer.model_dump_json().encode(), answer.coordination_mode

    async def agents(self, request: Request, request_id: str) -> tuple[bytes, str]:  # noqa: ARG002 (Handler)
        c = self._coordinator
        return orjson.dumps(views.agents(self._roster(), c.book, c.observation())), ""

    async def health(self, request: Request, request_id: str) -> tuple[bytes, str]:  # noqa: ARG002 (Handler)
        c = self._coordinator
        return orjson.dumps(views.health(c.roster, c.problem, c.book, c.observation())), ""

    async def models(self, request: Request, request_id: str) -> tuple[bytes, str]:  # noqa: ARG002 (Handler)
        return orjson.dumps({"object": "list", "data": openai.models(self._roster(), self._created)}), ""

    async def model(self, request: Request, request_id: str) -> tuple[bytes, str]:  # noqa: ARG002 (Handler)
        wanted = request.path_params["model"]
        known = openai.models(self._roster(), self._created)
        for model in known:
            if model["id"] == wanted:
                return orjson.dumps(model), ""
        raise UnknownModel(f"there is no model {wanted!r}; the models are {', '.join(m['id'] for m in known)}")

    async def chat(self, request: Request, request_id: str) -> tuple[bytes, str]:
        began = asyncio.get_running_loop().time()
        chat = openai.parse(await read_body(request))
        question, context = openai.question(chat, self._roster())
        answer = await self._coordinator.ask(question, request_id, began, context)
        _log(answer, request)
        return openai.completion(chat, answer), answer.coordination_mode

    def _roster(self) -> Roster:
        if self._coordinator.roster is None:
            raise NotReady(self._coordinator.problem)
        return self._coordinator.roster


def _log(answer: AskResponse, request: Request) -> None:
    _LOG.info(
        "answered",
        extra={
            "request_id": answer.request_id,
            "caller": request.state.caller,
            "mode": answer.coordination_mode,
            "members": len(answer.answers),
            "answered": len(answer.agents_involved),
            "batch": answer.batch.size if answer.batch else 0,
            "seconds": answer.execution_time,
        },
    )


def _error(problem: AskProblem, request_id: str, headers: dict[str, str] | None = None) -> Response:
    return Response(
        problem.body(),
        status_code=problem.status,
        media_type=JSON,
        headers={"x-request-id": request_id} | problem.headers | (headers or {}),
    )


def _openai_error(problem: AskProblem, request_id: str) -> Response:
    return Response(
        openai.problem_body(problem),
        status_code=openai.problem_status(problem),
        media_type=JSON,
        headers={"x-request-id": request_id} | problem.headers,
    )


def create_app(coordinator: Coordinator, authenticator: Authenticator | None = None) -> Starlette:
    """Everything on the API's port: our own routes, and OpenAI's; without an authenticator anybody may ask."""
    api = Api(coordinator)

    def route(path: str, handler: Handler, method: str, refuse: Refuse = _error) -> Route:
        return Route(path, _endpoint(coordinator, authenticator, path, handler, refuse), methods=[method])

    return Starlette(
        routes=[
            route("/v1/ask", api.ask, "POST"),
            route("/v1/agents", api.agents, "GET"),
            route("/v1/health", api.health, "GET"),
            route("/v1/models", api.models, "GET", _openai_error),
            route("/v1/models/{model:path}", api.model, "GET", _openai_error),
            route("/v1/chat/completions", api.chat, "POST", _openai_error),
        ],
        exception_handlers={HTTPException: _not_routed(coordinator)},
    )


def create_probe_app(coordinator: Coordinator, authenticator: Authenticator | None = None) -> Starlette:
    """GET /healthz (the loop turns), /readyz (the board is known, callers can be let in; LoRAX may be down), /metrics.

    Nobody has to say who they are here.
    """
    page: tuple[float, bytes] = (float("-inf"), b"")

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        problem = coordinator.problem if coordinator.roster is None else ""
        if authenticator:
            problem = problem or await authenticator.problem()
        return PlainTextResponse(f"{problem or 'ok'}\n", status_code=503 if problem else 200)

    async def metrics(_: Request) -> Response:
        nonlocal page
        if time.monotonic() - page[0] >= METRICS_SECONDS:
            page = (time.monotonic(), await asyncio.to_thread(generate_latest, coordinator.metrics.registry))
        return Response(page[1], headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)])


def _endpoint(
    coordinator: Coordinator, authenticator: Authenticator | None, path: str, handler: Handler, refuse: Refuse
) -> Callable[[Request], Awaitable[Response]]:
    """A handler with request id, authentication, error shape, metrics and log around it."""

    async def endpoint(request: Request) -> Response:
        began = time.perf_counter()
        request_id = request_id_of(request.headers.get("x-request-id")) or secrets.token_hex(8)
        mode = ""
        try:
            # before a byte of the body is read
            authorization = request.headers.get("authorization")
            request.state.caller = await authenticator.caller(authorization) if authenticator else ""
            body, mode = await handler(request, request_id)
            response = Response(body, media_type=JSON, headers={"x-request-id": request_id})
        except AskProblem as problem:
            _LOG.info("refused", extra={"request_id": request_id, "code": problem.code, "status": problem.status})
            response = refuse(problem, request_id)
        except ClientDisconnect:
            response = Response(status_code=_CLIENT_CLOSED)
        except Exception:  # noqa: BLE001 (the last resort: whatever broke, the caller gets our error shape)
            _LOG.exception("internal error", extra={"request_id": request_id})
            response = refuse(Internal(f"an error of the coordinator; its log has it as {request_id}"), request_id)
        coordinator.metrics.request(path, mode, response.status_code, time.perf_counter() - began)
        return response

    return endpoint


def _not_routed(coordinator: Coordinator) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Unknown routes and methods in the API's error shape; all of them one label in the metrics."""

    async def handler(request: Request, error: Exception) -> Response:
        request_id = request_id_of(request.headers.get("x-request-id")) or secrets.token_hex(8)
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
        problem: AskProblem
        if status == MethodNotAllowed.status:
            problem = MethodNotAllowed(f"{request.method} is not allowed here; the routes are {ROUTES}")
        elif status == NotFound.status:
            problem = NotFound(f"there is no {request.url.path}; the routes are {ROUTES}")
        else:
            problem = Internal(str(error))
        coordinator.metrics.request("other", "", problem.status, 0.0)
        return _error(problem, request_id, headers)

    return handler
