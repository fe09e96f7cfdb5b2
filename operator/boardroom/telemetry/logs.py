"""One JSON object a line on standard output; no prompt, no answer and no credential ever."""

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
"""Libraries that tell at level info what is told by our own lines, or is nobody's concern."""
_EXPORTER: Final = "opentelemetry"
"""It warns of each attempt to reach a collector that is down, and then says once that it gave up."""


class JsonFormatter(logging.Formatter):
    """time, level, logger, message, trace_id and span_id where there is a trace, and what the call gave as `extra`."""

    def __init__(self, *, quote_exceptions: bool) -> None:
        """Without `quote_exceptions` a trace says what broke where, not in which words: those may quote a prompt."""
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
            line["exception"] = self.formatException(record.exc_info) if self._quote else wordless(error)
        return orjson.dumps(line, default=str).decode()


def configure(level: str, *, quote_exceptions: bool = True) -> None:
    """Send every log from `level` (debug, info, warning, error) on to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(quote_exceptions=quote_exceptions))
    # What no line of ours says need not be found out for each.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger(_EXPORTER).setLevel(logging.ERROR)


def wordless(error: BaseException) -> str:
    """The traces of an exception and its causes without their messages; of an OSError what the system says of it."""
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
