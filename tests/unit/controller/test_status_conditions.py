"""A status is written only if a field of ours differs."""

import pytest

from boardroom.controller.status.conditions import differs
from unit.controller.objects import Object, condition

OURS: Object = {
    "observedGeneration": 1,
    "conditions": [condition("Ready", "True", "Ready")],
    "lorax": {"effective": {"port": 8080}},
    "members": [],
}
OF_OTHERS = {"lorax": {"effective": {"port": 8080}, "running": True}, "phase": "x"}


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (OURS, False),
        (OURS | OF_OTHERS, False),
        (OURS | {"conditions": [condition("LatencyHigh", "True", "Slow"), *OURS["conditions"]]}, False),
        ({k: v for k, v in OURS.items() if k != "members"}, False),
        (None, True),
        (OURS | {"observedGeneration": 0}, True),
        (OURS | {"lorax": {"effective": {"port": 1}}}, True),
        (OURS | {"lorax": None}, True),
        (OURS | {"members": [{"name": "gone"}]}, True),
        (OURS | {"conditions": []}, True),
        (OURS | {"conditions": [condition("Ready", "True", "Ready", "other words")]}, True),
    ],
    ids=[
        "equal", "fields of others", "a condition of others", "an empty list that is absent", "none",
        "generation", "deep", "gone", "list", "no condition", "message",
    ],
)  # fmt: skip
def test_differs(live: Object | None, expected: bool) -> None:
    assert differs(live, OURS) is expected
