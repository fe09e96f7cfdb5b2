"""W3C Trace Context: the trace that the work at hand is part of, from who asked us to whom we ask.

It travels in a context variable, so that every task of a question has it and no signature knows of it. Nothing here
needs OpenTelemetry: without spans of our own the caller's trace is passed on as it came.
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
"""What everybody must pass on at least; longer ones are dropped, which the standard allows."""

_PARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?", re.ASCII)
_STATE: Final = re.compile(r"[\x20-\x7e]{1,512}", re.ASCII)
_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16


@dataclass(frozen=True)
class Trace:
    """A place in a trace; the empty one is none."""

    parent: str = ""
    state: str = ""

    @cached_property
    def headers(self) -> dict[str, str]:
        """What goes along with a request."""
        found = {TRACEPARENT: self.parent, TRACESTATE: self.state}
        return {name: value for name, value in found.items() if value}

    @cached_property
    def ids(self) -> dict[str, str]:
        """trace_id and span_id, as log lines have them."""
        if not self.parent:
            return {}
        _, trace_id, span_id, *_ = self.parent.split("-")
        return {"trace_id": trace_id, "span_id": span_id}


NONE: Final = Trace()
_CURRENT: ContextVar[Trace] = ContextVar("trace", default=NONE)


def current() -> Trace:
    """The trace of the work at hand."""
    return _CURRENT.get()


@contextmanager
def within(trace: Trace) -> Iterator[None]:
    """What is done inside, and every task made there, is part of this trace."""
    token = _CURRENT.set(trace)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def received(headers: Mapping[str, str]) -> Trace:
    """The caller's trace; none where it sent none, or one that is not of the standard's form."""
    parent = headers.get(TRACEPARENT)
    if parent is None or not _valid(parent):
        return NONE
    state = headers.get(TRACESTATE, "").strip()
    return Trace(parent, state if _STATE.fullmatch(state) else "")


def _valid(parent: str) -> bool:
    """Version 00 has four fields; later versions may have more, and ff is none."""
    found = _PARENT.fullmatch(parent)
    if found is None:
        return False
    version, trace_id, span_id, more = found.groups()
    return version != "ff" and trace_id != _NO_TRACE and span_id != _NO_SPAN and not (version == "00" and more)
