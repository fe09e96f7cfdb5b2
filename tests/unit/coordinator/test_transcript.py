"""A chat's messages as a member's past turns and the question."""

from typing import Any

import pytest

from boardroom.api.chat import ChatMessage
from boardroom.coordinator.errors import InvalidQuestion
from boardroom.coordinator.http.transcript import exchanges, system


def messages(*bodies: dict[str, Any]) -> list[ChatMessage]:
    return [ChatMessage.model_validate(body) for body in bodies]


def said(*pairs: tuple[str, str]) -> list[ChatMessage]:
    return messages(*({"role": role, "content": text} for role, text in pairs))


def turns(*pairs: tuple[str, str]) -> list[tuple[str, str]]:
    return [(turn.question, turn.answer) for turn in exchanges(said(*pairs))]


def test_system_messages_are_one() -> None:
    assert system(said(("system", "A"), ("user", "Why?"), ("developer", "B"))) == "A\n\nB"


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("user", "Why?")], [("Why?", "")]),
        ([("user", "a"), ("user", "b")], [("a\n\nb", "")]),
        ([("user", "a"), ("assistant", "x"), ("user", "b")], [("a", "x"), ("b", "")]),
        ([("assistant", "Hello"), ("user", "b")], [("", "Hello"), ("b", "")]),
        ([("user", "a"), ("system", "s"), ("user", "b")], [("a\n\nb", "")]),
    ],
)
def test_questions_go_with_their_answers(pairs: list[tuple[str, str]], expected: list[tuple[str, str]]) -> None:
    assert turns(*pairs) == expected


def test_calls_and_results_of_tools_are_words() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    chat = messages(
        {"role": "user", "content": "2+2?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "4"},
    )
    first, last = exchanges(chat)
    assert (first.answer, last.question) == ("[call of add] {}", "[result of add] 4")


@pytest.mark.parametrize("pairs", [[], [("system", "s")], [("user", "a"), ("assistant", "x")], [("user", " ")]])
def test_a_chat_that_asks_nothing_is_refused_by_field(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidQuestion) as refused:
        exchanges(said(*pairs))
    assert refused.value.field == "messages"
