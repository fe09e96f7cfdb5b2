"""W3C Trace Context, passed from callers to the servers that we call.

A context variable holds the trace, so that all tasks of a question have it without an argument. This module does not
need OpenTelemetry: without our own spans the caller's trace is passed on unchanged.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import Final

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
MAX_STATE_CHARS: Final = 512
"""Length that every implementation must pass on. Longer values are dropped, as the standard allows."""

_PARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?", re.ASCII)
_STATE: Final = re.compile(r"[\x20-\x7e]{1,512}", re.ASCII)
_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16


@dataclass(frozen=True)
class Trace:
    """A position in a trace. An empty `parent` means no trace."""

    parent: str = ""
    state: str = ""

    @cached_property
    def headers(self) -> dict[str, str]:
        """The trace as request headers."""
        headers = {TRACEPARENT: self.parent, TRACESTATE: self.state}
        return {name: value for name, value in headers.items() if value}

    @cached_property
    def ids(self) -> dict[str, str]:
        """trace_id and span_id for log lines."""
        if not self.parent:
            return {}
        _, trace_id, span_id, *_ = self.parent.split("-")
        return {"trace_id": trace_id, "span_id": span_id}


NONE: Final = Trace()
_CURRENT: ContextVar[Trace] = ContextVar("trace", default=NONE)


def current() -> Trace:
    """The current trace."""
    return _CURRENT.get()


@contextmanager
def within(trace: Trace) -> Iterator[None]:
    """Make the trace current inside the block, and in tasks created there."""
    token = _CURRENT.set(trace)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def received(headers: Mapping[str, str]) -> Trace:
    """The caller's trace. NONE if the headers have no valid one."""
    parent = headers.get(TRACEPARENT)
    if parent is None or not _valid(parent):
        return NONE
    state = headers.get(TRACESTATE, "").strip()
    return Trace(parent, state if _STATE.fullmatch(state) else "")


def _valid(parent: str) -> bool:
    """Whether a traceparent is valid. Version 00 has four fields, later ones may have more, ff is invalid."""
    match = _PARENT.fullmatch(parent)
    if match is None:
        return False
    version, trace_id, span_id, more = match.groups()
    return version != "ff" and trace_id != _NO_TRACE and span_id != _NO_SPAN and not (version == "00" and more)
