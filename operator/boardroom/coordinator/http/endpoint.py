"""An endpoint: a handler with the request id, trace, authentication, error shape, metrics and log around it."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from boardroom.coordinator.auth.bearer import Authenticator
from boardroom.coordinator.errors import ApiError, Internal
from boardroom.coordinator.http.connections import RequestTask
from boardroom.coordinator.http.request_log import CLIENT_CLOSED, RequestRecord
from boardroom.coordinator.http.requests import JSON, header_fields, read_body, valid_request_id
from boardroom.coordinator.http.sse import EventBuffer, EventResponse
from boardroom.coordinator.metrics import Metrics
from boardroom.telemetry import propagation
from boardroom.telemetry.span import Kind
from boardroom.telemetry.tracing import Tracer

_LOG = logging.getLogger(__name__)
_JSON_TYPE: Final = (b"content-type", JSON.encode())


@dataclass(frozen=True, slots=True)
class JsonBody:
    """A whole answer."""

    body: bytes
    status: int = HTTPStatus.OK


@dataclass(frozen=True, slots=True)
class StreamBody:
    """An answer that is being streamed. The result of `task` is the ApiError that ended it, or None."""

    buffer: EventBuffer
    task: asyncio.Task[ApiError | None]


@dataclass(frozen=True, slots=True)
class EndpointDeps:
    """The dependencies of every endpoint. Without an authenticator no request needs a token."""

    metrics: Metrics
    tracer: Tracer
    authenticator: Authenticator | None


class EventWriter(Protocol):
    """Writes one question's events into a buffer."""

    def fail(self, problem: ApiError) -> None:
        """Write the error, which is the last event."""


class Call(msgspec.Struct):
    """A request to a handler. The handler notes the mode and the answers in `record`."""

    scope: Scope
    receive: Receive
    headers: Mapping[str, str]
    """The header fields, by name in lower case."""
    request_id: str
    record: RequestRecord

    async def body(self) -> bytes:
        """Read the body; raises ApiError."""
        return await read_body(self.scope, self.receive, self.headers)

    def path_param(self, name: str) -> str:
        """The part of the path that the route calls {name}."""
        value: str = self.scope["path_params"][name]
        return value


Handler = Callable[[Call], Awaitable[JsonBody | StreamBody]]
"""Answers a call; raises ApiError."""

Refuse = Callable[[ApiError, str], Response]
"""Makes the response to an error, with the request id, in the shape of the route."""


class Endpoint:
    """A handler as an ASGI application. A client that disconnects cancels the handler."""

    def __init__(self, path: str, handler: Handler, refuse: Refuse, deps: EndpointDeps) -> None:
        self._path, self._handler, self._refuse = path, handler, refuse
        self._metrics, self._tracer, self._authenticator = deps.metrics, deps.tracer, deps.authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request (ASGI)."""
        headers = header_fields(scope)
        request_id = valid_request_id(headers.get("x-request-id")) or secrets.token_hex(8)
        caller = propagation.received(headers)
        with self._tracer.started(f"{scope['method']} {self._path}", Kind.SERVER, caller) as span:
            record = RequestRecord(self._path, request_id, span, self._metrics)
            answer = await self._answer(Call(scope, receive, headers, request_id, record))
        if isinstance(answer, JsonBody):
            await send_json(send, answer, request_id)
        else:
            await answer(scope, receive, send)

    async def _answer(self, call: Call) -> JsonBody | Response:
        """Run the handler and turn what it raises into a response. Count and log all but streams, which end later."""
        request_task = call.scope.setdefault("state", {})["request_task"] = RequestTask()
        record, request_id = call.record, call.request_id
        problem: ApiError | None = None
        answer: JsonBody | Response
        try:
            if self._authenticator:  # before a byte of the body is read
                record.caller = await self._authenticator.caller(call.headers.get("authorization"))
            body = await self._handler(call)
            if isinstance(body, StreamBody):
                return _streamed(body, record)
            answer, status = body, body.status
        except ApiError as error:
            problem = error
            answer = self._refuse(error, request_id)
            status = answer.status_code
        except ClientDisconnect:
            answer, status = Response(status_code=CLIENT_CLOSED), CLIENT_CLOSED
        except asyncio.CancelledError:
            if not request_task.is_disconnected:
                raise
            answer, status = Response(status_code=CLIENT_CLOSED), CLIENT_CLOSED
        except Exception:  # noqa: BLE001 (the last resort: whatever broke, the caller gets our error shape)
            problem = _internal(request_id)
            answer = self._refuse(problem, request_id)
            status = answer.status_code
        finally:
            request_task.finished()
        record.finish(status, problem)
        return answer


async def send_json(send: Send, answer: JsonBody, request_id: str) -> None:
    """Send a whole answer; 204 has no content-length (RFC 9110, 8.6)."""
    headers = [(b"x-request-id", request_id.encode("latin-1")), _JSON_TYPE]
    if answer.status != HTTPStatus.NO_CONTENT:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def start_stream(
    ask: Callable[[], Awaitable[None]], writer: EventWriter, buffer: EventBuffer, request_id: str
) -> StreamBody:
    """Run `ask`, which writes into the buffer. Return with its first event, or when a heartbeat is due.

    Raises an ApiError that came before: then the client can still get a plain error.
    """

    async def run() -> ApiError | None:
        try:
            await ask()
        except ApiError as problem:
            if not buffer.begun.is_set():
                raise
            writer.fail(problem)
            return problem
        except Exception:  # noqa: BLE001 (as in serve)
            fault = _internal(request_id)
            writer.fail(fault)
            return fault
        finally:
            buffer.close()
        return None

    task = asyncio.create_task(run())
    try:
        await buffer.begin()
    except BaseException:
        task.cancel()
        raise
    if task.done() and task.exception() is not None:
        task.result()
    return StreamBody(buffer, task)


def _streamed(body: StreamBody, record: RequestRecord) -> Response:
    async def after(whole: bool) -> None:
        """Cancel the question of a client that left, so that LoRAX stops too; then count and log the request."""
        if not whole:
            body.task.cancel()
        problem = None
        with suppress(asyncio.CancelledError, ApiError):
            problem = await body.task
        record.finish((problem.status if problem else HTTPStatus.OK) if whole else CLIENT_CLOSED, problem)

    return EventResponse(body.buffer, after, {"x-request-id": record.request_id})


def _internal(request_id: str) -> Internal:
    _LOG.exception("internal error", extra={"request_id": request_id})
    return Internal(f"an error of the coordinator; its log has it as {request_id}")
