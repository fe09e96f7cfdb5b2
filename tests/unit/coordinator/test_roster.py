"""Who sits on the board, out of objects; and whom a question is for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boardroom.api.ask import CoordinationMode
from boardroom.api.resources import BoardAgent, Boardroom
from boardroom.api.settings import Defaults
from boardroom.coordinator.board.roster import RejectedAgent, Roster, build, read_agent


def board(**spec: Any) -> Boardroom:
    return Boardroom.model_validate({"metadata": {"name": "executive"}, "spec": {"model": {"id": "m"}} | spec})


def live(role: Any, name: str | None = None, created: str = "", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name or str(role).lower(), "creationTimestamp": created},
        "spec": {"boardroomRef": {"name": "executive"}, "role": role} | spec,
    }


def roster_of(*agents: dict[str, Any], **spec: Any) -> Roster:
    return build(board(**spec), [read_agent(a) for a in agents], Defaults())


BOARD = roster_of(
    live("CTO", domains=["technology"]),
    live("CEO", domains=["strategy"]),
    live("CFO", name="money", domains=["finance", "strategy"]),
    live("Money", name="purse"),
    live("ceo", name="twin", created="2026-01-01T00:00:00Z"),
)


def test_members_are_in_the_order_of_their_names() -> None:
    assert [m.name for m in BOARD.members] == ["ceo", "cto", "money", "purse"]


def test_an_agent_without_a_seat_is_known_with_its_reason() -> None:
    assert [(r.name, r.reason) for r in BOARD.rejected] == [("twin", "DuplicateRole")]


def test_an_agent_of_another_board_is_not_seen() -> None:
    stranger = live("COO", boardroomRef={"name": "other"})
    assert roster_of(stranger).members + roster_of(stranger).rejected == ()


def test_an_agent_that_is_being_deleted_has_no_seat() -> None:
    leaving = live("COO")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert roster_of(leaving).members == ()


def test_an_agent_that_our_model_can_not_read_is_refused_by_field() -> None:
    rejected = roster_of(live(5, name="odd")).rejected
    assert [(r.name, r.reason) for r in rejected] == [("odd", "InvalidSpec")]
    assert rejected[0].message.startswith("spec.role: ")


@pytest.mark.parametrize(
    ("adapter", "root", "expected"),
    [
        ({}, None, ("ceo_lora_adapter", "/models/ceo_lora_adapter")),
        ({"path": "v2/ceo"}, None, ("v2/ceo", "/models/v2/ceo")),
        ({"path": "v2/ceo"}, "/tmp/here/", ("v2/ceo", "/tmp/here/v2/ceo")),
        ({"none": True}, None, (None, None)),
    ],
)
def test_the_adapter_is_a_directory_below_the_mount(
    adapter: dict[str, Any], root: str | None, expected: tuple[str | None, str | None]
) -> None:
    agent = BoardAgent.model_validate(live("CEO", adapter=adapter))
    (member,) = build(board(), [agent], Defaults(), root).members
    assert (member.adapter, member.adapter_id) == expected


def test_settings_of_the_board_are_taken_with_the_operators_defaults() -> None:
    found = build(
        board(deliberation={"defaultMode": "Sequential"}, coordinator={"requestTimeoutSeconds": 7}, maxMembers=1),
        [read_agent(live("CEO")), read_agent(live("CFO"))],
        Defaults(enable_lorax=False),
    )
    assert (found.default_mode, found.timeout_seconds, found.lorax_enabled) == (CoordinationMode.SEQUENTIAL, 7, False)
    assert ([m.name for m in found.members], [r.reason for r in found.rejected]) == (["ceo"], ["BoardFull"])


@pytest.mark.parametrize(
    ("deliberation", "expected"),
    [({}, (None, 3)), ({"chairRef": {"name": "cfo"}, "rounds": 2}, ("cfo", 2))],
)
def test_the_chair_and_the_rounds_are_the_boards(
    deliberation: dict[str, Any], expected: tuple[str | None, int]
) -> None:
    found = build(board(deliberation=deliberation), [], Defaults())
    assert (found.chair_ref, found.rounds) == expected


ROLES = st.sampled_from(["CEO", "ceo", "CFO", "Coo", "money"])


@given(st.lists(st.tuples(ROLES, st.sampled_from("abcdef")), max_size=8), st.integers(1, 4))
def test_every_agent_is_a_member_or_refused_and_no_role_sits_twice(agents: list[tuple[str, str]], most: int) -> None:
    named = {name: live(role, name=name) for role, name in agents}
    found = roster_of(*named.values(), maxMembers=most)
    both: list[Any] = [*found.members, *found.rejected]
    roles = [m.role.lower() for m in found.members]
    assert sorted(a.name for a in both) == sorted(named)
    assert (len(roles), len(found.members) <= most) == (len(set(roles)), True)
    assert all(isinstance(r, RejectedAgent) and r.message for r in found.rejected)
