"""The metrics, log line and span of a request, from its first byte to the last byte of its answer."""

import logging
import time
from http import HTTPStatus
from typing import Any, Final

from boardroom.coordinator.errors import ApiError
from boardroom.coordinator.metrics import Metrics
from boardroom.coordinator.response import AskResponse
from boardroom.telemetry import propagation
from boardroom.telemetry.span import Span
from boardroom.telemetry.tracing import NO_SPAN

CLIENT_CLOSED: Final = 499
QUESTIONS: Final = ("/v1/ask", "/v1/chat/completions")
"""Every request to these routes is logged; of other routes only those with an error."""

_LOG: Final = logging.getLogger(__name__)


class RequestRecord:
    """Collects the counts and log fields of a request. No text of a question or an answer is logged."""

    def __init__(self, route: str, request_id: str, span: Span, metrics: Metrics) -> None:
        self.request_id = request_id
        self.caller = ""
        """The caller's name; empty without an authenticator."""
        self.mode = ""
        """The question's mode, once it is known."""
        self._route, self._span, self._metrics = route, span, metrics
        self._began = time.perf_counter()
        self._trace = propagation.current()
        self._answers: list[AskResponse] = []

    def add_answer(self, answer: AskResponse) -> None:
        """Note an answer; a request for several choices has several."""
        self._answers.append(answer)

    def finish(self, status: int, problem: ApiError | None) -> None:
        """The answer is ready or streamed, or the client has left: count the request, end its span, log it."""
        seconds = time.perf_counter() - self._began
        code = problem.code if problem else ("client_closed" if status == CLIENT_CLOSED else "")
        self._metrics.request(self._route, self.mode, status, seconds, code)
        if self._span is not NO_SPAN:
            self._end_span(status, code)
        if self._route in QUESTIONS or code:
            level = logging.WARNING if status >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO
            line = self._line(status, code, seconds)
            if self._trace is propagation.current():
                _LOG.log(level, _message(status, code), extra=line)
            else:
                with propagation.within(self._trace):
                    _LOG.log(level, _message(status, code), extra=line)

    def _end_span(self, status: int, code: str) -> None:
        self._span.note(
            {
                "http.route": self._route,
                "http.response.status_code": int(status),
                "boardroom.request_id": self.request_id,
                "boardroom.mode": self.mode or None,
            }
        )
        if code:
            self._span.failed(code)
        self._span.end()

    def _line(self, status: int, code: str, seconds: float) -> dict[str, Any]:
        line: dict[str, Any] = {
            "request_id": self.request_id,
            "caller": self.caller,
            "route": self._route,
            "mode": self.mode,
            "status": int(status),
            "seconds": round(seconds, 4),
        }
        if code:
            line["code"] = code
        if self._answers:
            line |= {
                "members": sum(len(a.answers) for a in self._answers),
                "answered": sum(len(a.agents_involved) for a in self._answers),
                "batch": max(a.batch.size if a.batch else 0 for a in self._answers),
                "used_lorax": any(a.used_lorax for a in self._answers),
            }
        return line


def _message(status: int, code: str) -> str:
    if status == CLIENT_CLOSED:
        return "left"
    if not code:
        return "answered"
    return "failed" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "refused"
