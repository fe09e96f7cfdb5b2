"""Which members a question is for."""

from typing import Any

import pytest

from boardroom.api.ask import AskRequest
from boardroom.coordinator.deliberation.selection import select
from boardroom.coordinator.errors import ApiError, UnknownAgent, UnknownDomain
from unit.coordinator.test_roster import BOARD


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({}, ["ceo", "cto", "money", "purse"]),
        ({"agents": ["CTO", "ceo"]}, ["cto", "ceo"]),
        ({"agents": ["cfo", "MONEY", "money"]}, ["money"]),
        ({"agents": ["twin", "ceo"]}, ["twin", "ceo"]),
        ({"agents": [" ceo "]}, ["ceo"]),
        ({"domain": "Strategy"}, ["ceo", "money"]),
        ({"agent_id": "cto"}, ["cto"]),
        ({"agent_id": "money", "domain": "strategy"}, ["money", "ceo"]),
        ({"agent_id": "cto", "domain": "finance"}, ["cto", "money"]),
        ({"agents": ["cto"], "domain": "finance"}, ["cto"]),
    ],
)
def test_a_question_is_for_agents_else_the_primary_and_its_domain_else_all(
    question: dict[str, Any], expected: list[str]
) -> None:
    assert [s.name for s in select(AskRequest(user_input="x", **question), BOARD)] == expected


@pytest.mark.parametrize(
    ("question", "expected", "message"),
    [
        (
            {"agents": ["nobody", "ceo", "none"]},
            UnknownAgent,
            "board 'executive' has no member nobody, none; it has ceo (CEO), cto (CTO), money (CFO), purse (Money)",
        ),
        (
            {"domain": "sports"},
            UnknownDomain,
            "no member of board 'executive' has the domain 'sports'; its domains are finance, strategy, technology",
        ),
    ],
)
def test_what_does_not_exist_is_named_with_what_does(
    question: dict[str, Any], expected: type[ApiError], message: str
) -> None:
    with pytest.raises(expected) as raised:
        select(AskRequest(user_input="x", **question), BOARD)
    assert str(raised.value) == message
