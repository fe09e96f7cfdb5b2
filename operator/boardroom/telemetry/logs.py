"""JSON log lines on standard output, without prompts, answers and credentials."""

import logging
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import orjson

from boardroom.telemetry import propagation

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_MAX_CAUSES: Final = 8
_CHATTY: Final = ("uvicorn", "kopf", "aiohttp", "asyncio", "httpx", "httpcore", "urllib3")
"""Libraries whose info lines repeat our own, or interest nobody."""
_EXPORTER: Final = "opentelemetry"
"""OpenTelemetry warns of each attempt to reach a collector that is down, and then logs one error."""


class JsonFormatter(logging.Formatter):
    """A line has time, level, logger, message, the trace's trace_id and span_id, and the fields of `extra`."""

    def __init__(self, *, quote_exceptions: bool) -> None:
        """Without `quote_exceptions` stack traces have no exception messages, which may quote a prompt."""
        super().__init__()
        self._quote = quote_exceptions

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= propagation.current().ids
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line["exception"] = self.formatException(record.exc_info) if self._quote else without_messages(error)
        return orjson.dumps(line, default=str).decode()


def configure(level: str, *, quote_exceptions: bool = True) -> None:
    """Send logs of at least `level` (debug, info, warning, error) to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(quote_exceptions=quote_exceptions))
    # No line has these fields: do not compute them.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 (the logging HOWTO's way to leave out the caller)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger(_EXPORTER).setLevel(logging.ERROR)


def without_messages(error: BaseException) -> str:
    """The stack traces of an exception and its causes without messages, except the system's of an OSError."""
    return "".join(_traces(error))


def _traces(error: BaseException) -> Iterator[str]:
    cause: BaseException | None = error
    for _ in range(_MAX_CAUSES):
        if cause is None:
            return
        system = f": {cause.strerror}" if isinstance(cause, OSError) and cause.strerror else ""
        yield f"{type(cause).__module__}.{type(cause).__qualname__}{system}\n"
        yield from traceback.format_tb(cause.__traceback__)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
