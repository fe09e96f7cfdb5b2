"""What Argo CD's Lua makes of statuses that our own builders wrote."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lupa.lua51 import LuaRuntime

from boardroom.api.membership import Verdict, unknown_board
from boardroom.controller.status.agent import Member, agent_status, build_member
from boardroom.controller.status.board import Observed, board_status, suspended
from boardroom.controller.status.condition_value import ConditionValue
from unit.controller.objects import agent, agent_object, blueprint, board_object, condition

HEALTH = Path(__file__).parents[3] / "manifests" / "argocd" / "health"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
GOOD = ConditionValue(status="True", reason="Available", message="it answers")
LOADING = ConditionValue(status="False", reason="Starting", message="LoRAX is starting")
NO_IMAGE = ConditionValue(
    status="False", reason="ImagePullFailed", message="image lorax:1 can't be pulled", stalled=True
)
ACCEPTED = Verdict(accepted=True, reason="Accepted", message="is a member as CEO")
Object = dict[str, Any]


def health(kind: str, obj: Object) -> tuple[str, str]:
    """Run as Argo CD runs it: Lua 5.1, the live object as the global `obj`."""
    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.globals().obj = lua.table_from(obj, recursive=True)
    result = lua.execute((HEALTH / f"{kind}.lua").read_text(encoding="utf-8"))
    return result["status"], result["message"]


def proved(status: str = "True", reason: str = "Loaded", message: str = "it gave tokens") -> Member:
    return build_member(agent("CEO", conditions=[condition("AdapterReady", status, reason, message)]), ACCEPTED)


def board(observed: Observed, *, generation: int = 1) -> Object:
    return board_object(generation=generation, status=board_status(blueprint(), observed, (), NOW))


def seen(lorax: ConditionValue = GOOD, coordinator: ConditionValue = GOOD, **facts: Any) -> Observed:
    return Observed(lorax=lorax, coordinator=coordinator, members=facts.pop("members", [proved()]), **facts)


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (seen(), ("Healthy", "1 of 1 members answer")),
        (seen(lorax=LOADING), ("Progressing", "LoraxStarting: LoRAX is starting")),
        (seen(lorax=NO_IMAGE), ("Degraded", "LoraxImagePullFailed: image lorax:1 can't be pulled")),
        (seen(lorax=suspended([]), suspended=True), ("Suspended", suspended([]).message)),
        (
            seen(lorax=suspended([{"metadata": {"name": "p"}}]), suspended=True),
            ("Progressing", f"Suspended: {suspended([{}]).message}"),
        ),
    ],
    ids=["ready", "loading", "stalled", "suspended", "suspending"],
)
def test_a_board_has_the_health_that_its_conditions_tell(observed: Observed, expected: tuple[str, str]) -> None:
    assert health("boardroom", board(observed)) == expected


def test_a_board_whose_change_was_not_seen_yet_is_progressing() -> None:
    status, message = health("boardroom", board(seen(), generation=2))
    assert (status, message) == ("Progressing", "the operator has not seen the last change of spec yet")


@pytest.mark.parametrize("kind", ["boardroom", "boardagent"])
def test_an_object_that_nobody_has_looked_at_is_progressing(kind: str) -> None:
    assert health(kind, board_object())[0] == "Progressing"
    assert health(kind, {"metadata": {"generation": 1}})[0] == "Progressing"


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (proved(), ("Healthy", "answers as CEO")),
        (proved("Unknown", "NotProved", "not tried yet"), ("Progressing", "NotProved: not tried yet")),
        (proved("False", "AdapterMissing", "no files"), ("Degraded", "AdapterMissing: no files")),
        (
            build_member(agent("CEO"), Verdict(accepted=False, reason="BoardFull", message="15 members")),
            ("Degraded", "BoardFull: 15 members"),
        ),
    ],
    ids=["ready", "not tried", "adapter failed", "not accepted"],
)
def test_a_member_has_the_health_that_its_conditions_tell(subject: Member, expected: tuple[str, str]) -> None:
    assert health("boardagent", agent_object("CEO") | {"status": agent_status(subject, NOW)}) == expected


def test_a_member_whose_board_is_still_to_come_is_progressing() -> None:
    subject = build_member(agent("CEO"), unknown_board("executive", "team"))
    status, message = health("boardagent", agent_object("CEO") | {"status": agent_status(subject, NOW)})
    assert (status, message.split(":")[0]) == ("Progressing", "BoardroomNotFound")
