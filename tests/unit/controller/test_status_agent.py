"""A member is Ready if it is accepted and its adapter was proved for its current spec."""

from datetime import UTC, datetime

import pytest

from boardroom.api.membership import Verdict
from boardroom.controller.status.agent import agent_status, build_member, with_coordinator_not_ready
from boardroom.controller.status.condition_value import ConditionValue
from unit.controller.objects import Object, agent, condition

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ACCEPTED = Verdict(accepted=True, reason="Accepted", message="is a member")
REJECTED = Verdict(accepted=False, reason="DuplicateRole", message="taken")


def proof(status: str, reason: str, generation: int = 2) -> list[Object]:
    return [condition("AdapterReady", status, reason, "as the coordinator said", generation)]


@pytest.mark.parametrize(
    ("verdict", "conditions", "expected"),
    [
        (ACCEPTED, proof("True", "AdapterProved"), ("True", "Ready")),
        (ACCEPTED, proof("True", "NoAdapter"), ("True", "Ready")),
        (ACCEPTED, proof("False", "AdapterMissing"), ("False", "AdapterMissing")),
        (ACCEPTED, proof("Unknown", "NotProved"), ("Unknown", "NotProved")),
        (ACCEPTED, proof("True", "AdapterProved", generation=1), ("Unknown", "NotProved")),
        (ACCEPTED, proof("False", "AdapterMissing", generation=1), ("Unknown", "NotProved")),
        (ACCEPTED, [], ("Unknown", "NotProved")),
        (REJECTED, proof("True", "AdapterProved"), ("False", "DuplicateRole")),
    ],
    ids=["proved", "none needed", "missing", "unknown", "stale proof", "stale failure", "never tried", "not accepted"],
)
def test_ready(verdict: Verdict, conditions: list[Object], expected: tuple[str, str]) -> None:
    found = build_member(agent("CEO", generation=2, conditions=conditions), verdict).ready
    assert (found.status, found.reason) == expected


@pytest.mark.parametrize(
    ("verdict", "conditions", "expected"),
    [
        (ACCEPTED, proof("True", "AdapterProved"), ("Unknown", "CoordinatorNotReady")),
        (ACCEPTED, proof("False", "AdapterMissing"), ("Unknown", "CoordinatorNotReady")),
        (ACCEPTED, [], ("Unknown", "NotProved")),
        (REJECTED, proof("True", "AdapterProved"), ("False", "DuplicateRole")),
    ],
    ids=["proved", "missing", "never tried", "not accepted"],
)
def test_readiness_is_unknown_while_no_coordinator_is_up(
    verdict: Verdict, conditions: list[Object], expected: tuple[str, str]
) -> None:
    gone = ConditionValue(status="False", reason="CrashLoop", message="it ended")
    found = with_coordinator_not_ready(
        build_member(agent("CEO", generation=2, conditions=conditions), verdict), gone
    ).ready
    assert (found.status, found.reason) == expected


def test_only_what_the_controller_owns_is_written() -> None:
    subject = build_member(agent("CEO", generation=2, conditions=proof("True", "AdapterProved")), ACCEPTED)
    assert agent_status(subject, NOW) == {
        "observedGeneration": 2,
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Ready",
                "message": "answers as CEO",
                "observedGeneration": 2,
                "lastTransitionTime": "2026-11-24T00:00:00Z",
            },
            {
                "type": "Stalled",
                "status": "False",
                "reason": "NotStalled",
                "message": "nothing waits for an edit",
                "observedGeneration": 2,
                "lastTransitionTime": "2026-11-24T00:00:00Z",
            },
            {
                "type": "Accepted",
                "status": "True",
                "reason": "Accepted",
                "message": "is a member",
                "observedGeneration": 2,
                "lastTransitionTime": "2026-11-24T00:00:00Z",
            },
        ],
    }
