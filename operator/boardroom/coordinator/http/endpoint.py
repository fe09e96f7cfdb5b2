"""Around every handler: request id, trace, error shape; and answers that go out while they are being body."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from boardroom.coordinator.auth.bearer import Authenticator
from boardroom.coordinator.errors import ApiError, Internal
from boardroom.coordinator.http.connections import RequestTask
from boardroom.coordinator.http.request_log import CLIENT_CLOSED, RequestRecord
from boardroom.coordinator.http.requests import JSON, valid_request_id
from boardroom.coordinator.http.sse import EventBuffer, EventResponse
from boardroom.coordinator.metrics import Metrics
from boardroom.telemetry import propagation
from boardroom.telemetry.span import Kind
from boardroom.telemetry.tracing import Tracer

_LOG = logging.getLogger(__name__)


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


Handler = Callable[[Request, str], Awaitable[JsonBody | StreamBody]]
"""Request and request id to an answer; raises ApiError."""

Refuse = Callable[[ApiError, str], Response]
"""A problem and the request id to the error in the shape of its route."""


def endpoint(
    path: str, handler: Handler, refuse: Refuse, deps: EndpointDeps
) -> Callable[[Request], Awaitable[Response]]:
    """The handler as Starlette wants it. `request.state` has its RequestRecord, where it says what it was asked; a
    client that leaves ends it.
    """

    async def serve(request: Request) -> Response:
        request_id = valid_request_id(request.headers.get("x-request-id")) or secrets.token_hex(8)
        caller = propagation.received(request.headers)
        with deps.tracer.started(f"{request.method} {path}", Kind.SERVER, caller) as span:
            record = request.state.record = RequestRecord(path, request_id, span, deps.metrics)
            request_task = request.state.request_task = RequestTask()
            problem: ApiError | None = None
            try:
                # before a byte of the body is read
                if deps.authenticator:
                    record.caller = await deps.authenticator.caller(request.headers.get("authorization"))
                body = await handler(request, request_id)
                if isinstance(body, StreamBody):
                    return _streamed(body, record)
                response = Response(body.body, body.status, media_type=JSON, headers={"x-request-id": request_id})
            except ApiError as found:
                problem = found
                response = refuse(problem, request_id)
            except ClientDisconnect:
                response = Response(status_code=CLIENT_CLOSED)
            except asyncio.CancelledError:
                if not request_task.is_disconnected:
                    raise
                response = Response(status_code=CLIENT_CLOSED)
            except Exception:  # noqa: BLE001 (the last resort: whatever broke, the caller gets our error shape)
                problem = _internal(request_id)
                response = refuse(problem, request_id)
            finally:
                request_task.finished()
            record.finish(response.status_code, problem)
        return response

    return serve


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
        """A client that left frees what can be freed: its question ends here, and LoRAX hears of it."""
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
