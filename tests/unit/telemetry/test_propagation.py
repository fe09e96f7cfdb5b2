"""W3C Trace Context: what is passed on, and what is not a trace."""

import pytest

from boardroom.telemetry import propagation
from boardroom.telemetry.propagation import NONE, Trace, received, within

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


def test_a_callers_trace_is_passed_on_with_its_state() -> None:
    trace = received({"traceparent": PARENT, "tracestate": "vendor=1,other=2"})
    assert trace.headers == {"traceparent": PARENT, "tracestate": "vendor=1,other=2"}
    assert trace.ids == {"trace_id": TRACE, "span_id": SPAN}


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "nonsense",
        PARENT.upper(),
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"{PARENT}-more",
        f"{PARENT}\n",
        f"00-{TRACE}-{SPAN}",
    ],
)
def test_what_is_no_trace_is_not_passed_on(parent: str) -> None:
    assert received({"traceparent": parent, "tracestate": "vendor=1"}) == NONE
    assert NONE.headers == {}
    assert NONE.ids == {}


def test_a_later_version_may_have_more_fields() -> None:
    assert received({"traceparent": f"01-{TRACE}-{SPAN}-01-more"}).ids["trace_id"] == TRACE


@pytest.mark.parametrize("state", ["", " ", "x" * 513, "a=\x00"])
def test_a_state_that_nobody_must_pass_on_is_dropped(state: str) -> None:
    assert received({"traceparent": PARENT, "tracestate": state}) == Trace(PARENT)


def test_a_trace_holds_inside_and_not_outside() -> None:
    with within(Trace(PARENT)):
        inside = propagation.current()
    assert (inside, propagation.current()) == (Trace(PARENT), NONE)
