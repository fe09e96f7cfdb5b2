"""Why nobody answered stands in the error's message too: many clients show nothing else of an error."""

from typing import Any

import pytest

from boardroom.coordinator.errors import ApiError, MemberFailed, NotEnoughAnswers, QuestionRefused
from unit.coordinator.scripted_board import ask

Problem = type[ApiError]
WHY = "ceo can not"
MORE = "each with its reason in members"


def say(member: str, *_: Any) -> str | None:
    return "yes" if member == "cto" else None


@pytest.mark.parametrize(
    ("members", "asked", "kind", "message"),
    [
        (["ceo"], {}, QuestionRefused, "the engine refuses this question as it stands: CEO (ceo): ceo can not"),
        (
            ["ceo", "cfo", "coo"],
            {},
            QuestionRefused,
            f"the engine refuses this question as it stands: CEO (ceo): {WHY} (and 2 more, {MORE})",
        ),
        (
            ["ceo", "cto"],
            {"min_successful": 2},
            NotEnoughAnswers,
            "1 of 2 members answered, and 2 must: CEO (ceo): ceo can not",
        ),
        (
            ["ceo", "cfo", "cto"],
            {"on_error": "fail"},
            MemberFailed,
            f"on_error is fail, and not every member that was asked answered: CEO (ceo): {WHY} (and 1 more, {MORE})",
        ),
    ],
)
async def test_the_message_has_the_first_reason_and_how_many_more_there_are(
    members: list[str], asked: dict[str, Any], kind: Problem, message: str
) -> None:
    with pytest.raises(kind) as raised:
        await ask(members, say, **asked)
    assert (type(raised.value), str(raised.value)) == (kind, message)
    assert raised.value.members
