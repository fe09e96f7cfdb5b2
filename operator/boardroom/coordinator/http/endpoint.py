"""Around every handler: request id, trace, error shape; and answers that go out while they are being body."""

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
    """An answer that is there."""

    body: bytes
    status: int = HTTPStatus.OK


@dataclass(frozen=True, slots=True)
class StreamBody:
    """An answer that has begun; `task` ends with the error that it ended with, and never raises an ApiError."""

    buffer: EventBuffer
    task: asyncio.Task[ApiError | None]


@dataclass(frozen=True, slots=True)
class EndpointDeps:
    """What all handlers have around them; without an authenticator nobody is asked who he is."""

    metrics: Metrics
    tracer: Tracer
    authenticator: Authenticator | None


class EventWriter(Protocol):
    """Writes one question's events into a buffer."""

    def fail(self, problem: ApiError) -> None:
        """The last event: there is no answer."""


class Call(msgspec.Struct):
    """One request to a handler, which says in `record` what it was asked."""

    scope: Scope
    receive: Receive
    headers: Mapping[str, str]
    """By names in lower case."""
    request_id: str
    record: RequestRecord

    async def body(self) -> bytes:
        """The body; raises ApiError where it is none that is taken."""
        return await read_body(self.scope, self.receive, self.headers)

    def path_param(self, name: str) -> str:
        """What stands in the path where the route has {name}."""
        value: str = self.scope["path_params"][name]
        return value


Handler = Callable[[Call], Awaitable[JsonBody | StreamBody]]
"""A call to its answer; raises ApiError."""

Refuse = Callable[[ApiError, str], Response]
"""A problem and the request id to the error in the shape of its route."""


class Endpoint:
    """A handler as an ASGI application: the request id, the trace, who asks, the shape of errors, metrics and the log.

    A client that leaves ends the handler.
    """

    def __init__(self, path: str, handler: Handler, refuse: Refuse, deps: EndpointDeps) -> None:
        self._path, self._handler, self._refuse = path, handler, refuse
        self._metrics, self._tracer, self._authenticator = deps.metrics, deps.tracer, deps.authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
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
        """The answer, whatever happens; unless it is a stream, it is counted and in the log."""
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
    """Run `ask`, which writes into the buffer, and return when its first event is there, or a sign of life is due.

    Raises the ApiError that came before: the caller can still have a plain error for it.
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
        """A client that left frees what can be freed: its question ends here and in LoRAX."""
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
