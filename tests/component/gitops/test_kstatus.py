"""What Helm 4 and Flux make of statuses that our own builders wrote, by their own library."""

from datetime import UTC, datetime
from typing import Any

import pytest

from boardroom.api.membership import Verdict, unknown_board
from boardroom.controller.rollouts import RolloutState
from boardroom.controller.status.agent import agent_status, build_member, rejected_agent_status
from boardroom.controller.status.board import Observed, board_status, invalid_status, suspended
from boardroom.controller.status.condition_value import ConditionValue
from tools.kstatus import verdicts
from unit.controller.objects import Object, agent, agent_object, blueprint, board_object, condition
from unit.gitops.test_argocd_health import ACCEPTED, GOOD, LOADING, NO_IMAGE, proved

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ROLLS = ConditionValue(status="True", reason="Updating", message="it rolls", changing=True)


def board(generation: int = 1, **facts: Any) -> Object:
    seen: dict[str, Any] = {"lorax": GOOD, "coordinator": GOOD, "members": [proved()]} | facts
    return board_object(generation=generation, status=board_status(blueprint(), Observed(**seen), (), NOW))


def member_object(*conditions: Object) -> Object:
    subject = build_member(agent("CEO", conditions=list(conditions)), ACCEPTED)
    return agent_object("CEO") | {"status": agent_status(subject, NOW)}


def rejected(verdict: Verdict) -> Object:
    return agent_object("CEO") | {"status": rejected_agent_status(verdict, 1, (), NOW)}


TAKEN = Verdict(accepted=False, reason="DuplicateRole", message="taken")
BAD = proved("False", "RankTooHigh")

# CONVENTIONS' table, on what we write; the first three are what others' statuses are taken for.
CASES: dict[str, tuple[Object, str]] = {
    "no status at all": ({k: v for k, v in board_object().items() if k != "status"}, "Current"),
    "a phase alone": (board_object(status={"phase": "Failed"}), "Current"),
    "Degraded alone": (board_object(status={"conditions": [condition("Degraded", "True", "X")]}), "Current"),
    "nobody has looked": (board_object(), "InProgress"),
    "ready": (board(), "Current"),
    "ready for an older spec": (board() | {"metadata": board_object(generation=2)["metadata"]}, "InProgress"),
    "LoRAX starts": (board(lorax=LOADING), "InProgress"),
    "the coordinator rolls": (board(coordinator=ROLLS), "InProgress"),
    "waits for its turn": (board(rollout=RolloutState.WAITING), "InProgress"),
    "no member is ready": (board(members=[proved("Unknown", "NotProved")]), "InProgress"),
    "one adapter does not fit": (board(members=[proved(), BAD]), "Current"),
    "one adapter does not fit, another is not tried yet": (
        board(members=[proved("Unknown", "NotProved"), BAD]),
        "InProgress",
    ),
    "no adapter fits": (board(members=[BAD, BAD]), "Failed"),
    "no adapter fits, and standard inference answers while LoRAX starts": (
        board(members=[BAD], lorax=LOADING, standard=True),
        "InProgress",
    ),
    "suspended": (board(lorax=suspended([]), suspended=True), "Current"),
    "an image that can't be pulled": (board(lorax=NO_IMAGE), "Failed"),
    "no engine": (board(enabled=False), "Failed"),
    "a spec that can't be read": (board_object(status=invalid_status("spec.x", 1, (), NOW)), "Failed"),
    "an agent that nobody has looked at": (agent_object("CEO"), "InProgress"),
    "an agent that answers": (member_object(condition("AdapterReady", "True", "AdapterProved")), "Current"),
    "an agent that is not tried": (member_object(), "InProgress"),
    "an agent whose adapter fails": (member_object(condition("AdapterReady", "False", "LoadFailed")), "InProgress"),
    "an agent whose adapter is still to be pushed": (
        member_object(condition("AdapterReady", "False", "AdapterMissing")),
        "InProgress",
    ),
    "an agent whose adapter is for another model": (
        member_object(condition("AdapterReady", "False", "BaseModelMismatch")),
        "Failed",
    ),
    "an agent whose spec changed since its adapter was refused": (
        member_object(condition("AdapterReady", "False", "BaseModelMismatch", generation=0)),
        "InProgress",
    ),
    "an agent whose role is taken": (
        rejected(TAKEN),
        "Failed",
    ),
    "an agent whose board is still to come": (rejected(unknown_board("executive", "team")), "InProgress"),
}


@pytest.mark.timeout(600)
def test_helms_and_fluxs_verdicts() -> None:
    found = verdicts([obj for obj, _ in CASES.values()])
    assert dict(zip(CASES, found, strict=True)) == {name: expected for name, (_, expected) in CASES.items()}
