"""Around every handler: request id, error shape, metrics, log; and answers that go out while they are being made."""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from boardroom.api.ask import AskResponse
from boardroom.coordinator.auth.bearer import Authenticator
from boardroom.coordinator.metrics import Metrics
from boardroom.coordinator.outbox import EventResponse, Outbox
from boardroom.coordinator.problems import AskProblem, Internal
from boardroom.coordinator.questions import request_id_of

JSON: Final = "application/json"
CLIENT_CLOSED: Final = 499
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer that is there; `mode` is a label of the metrics, empty but for questions."""

    body: bytes
    mode: str = ""
    status: int = HTTPStatus.OK


@dataclass(frozen=True, slots=True)
class Streamed:
    """An answer that has begun; `telling` ends with its status, and never with an AskProblem."""

    outbox: Outbox
    telling: asyncio.Task[int]
    mode: str


class Teller(Protocol):
    """Writes one question's events into an outbox."""

    def fail(self, problem: AskProblem) -> None:
        """The last event: there is no answer."""


Handler = Callable[[Request, str], Awaitable[Whole | Streamed]]
"""Request and request id to an answer; raises AskProblem."""

Refuse = Callable[[AskProblem, str], Response]
"""A problem and the request id to the error in the shape of its route."""


def endpoint(
    path: str, handler: Handler, refuse: Refuse, metrics: Metrics, authenticator: Authenticator | None
) -> Callable[[Request], Awaitable[Response]]:
    """The handler as Starlette wants it; `request.state.caller` is who asks, empty where nobody is asked who he is."""

    async def serve(request: Request) -> Response:
        began = time.perf_counter()
        request_id = request_id_of(request.headers.get("x-request-id")) or secrets.token_hex(8)
        mode = ""
        try:
            # before a byte of the body is read
            authorization = request.headers.get("authorization")
            request.state.caller = await authenticator.caller(authorization) if authenticator else ""
            made = await handler(request, request_id)
            if isinstance(made, Streamed):
                return _streamed(made, path, request_id, began, metrics)
            mode = made.mode
            response = Response(made.body, made.status, media_type=JSON, headers={"x-request-id": request_id})
        except AskProblem as problem:
            _LOG.info("refused", extra={"request_id": request_id, "code": problem.code, "status": problem.status})
            response = refuse(problem, request_id)
        except ClientDisconnect:
            response = Response(status_code=CLIENT_CLOSED)
        except Exception:  # noqa: BLE001 (the last resort: whatever broke, the caller gets our error shape)
            response = refuse(_internal(request_id), request_id)
        metrics.request(path, mode, response.status_code, time.perf_counter() - began)
        return response

    return serve


async def tell(
    ask: Callable[[], Awaitable[int]], teller: Teller, outbox: Outbox, mode: str, request_id: str
) -> Streamed:
    """Run `ask`, which writes into the outbox and returns the status, and return when its first event is there.

    Raises the AskProblem that came before any event: the caller can still have a plain error for it.
    """

    async def telling() -> int:
        try:
            return await ask()
        except AskProblem as problem:
            if not outbox.begun.is_set():
                raise
            _LOG.info("failed", extra={"request_id": request_id, "code": problem.code, "status": problem.status})
            teller.fail(problem)
            return problem.status
        except Exception:  # noqa: BLE001 (as in serve)
            fault = _internal(request_id)
            teller.fail(fault)
            return fault.status
        finally:
            outbox.close()

    task = asyncio.create_task(telling())
    try:
        await outbox.begun.wait()
    except BaseException:
        task.cancel()
        raise
    if task.done() and task.exception() is not None:
        task.result()
    return Streamed(outbox, task, mode)


def log_answer(answer: AskResponse, caller: str) -> None:
    """One line for each answer, without its words."""
    _LOG.info(
        "answered",
        extra={
            "request_id": answer.request_id,
            "caller": caller,
            "mode": answer.coordination_mode,
            "members": len(answer.answers),
            "answered": len(answer.agents_involved),
            "batch": answer.batch.size if answer.batch else 0,
            "seconds": answer.execution_time,
        },
    )


def _streamed(made: Streamed, path: str, request_id: str, began: float, metrics: Metrics) -> Response:
    async def after(whole: bool) -> None:
        """A client that left frees what can be freed: its question ends here, and LoRAX hears of it."""
        if not whole:
            made.telling.cancel()
        status = CLIENT_CLOSED
        with suppress(asyncio.CancelledError, AskProblem):
            status = await made.telling
        metrics.request(path, made.mode, status if whole else CLIENT_CLOSED, time.perf_counter() - began)

    return EventResponse(made.outbox, after, {"x-request-id": request_id})


def _internal(request_id: str) -> Internal:
    _LOG.exception("internal error", extra={"request_id": request_id})
    return Internal(f"an error of the coordinator; its log has it as {request_id}")
