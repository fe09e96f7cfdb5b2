"""Chats in the layout of Mistral's instruct models."""

from typing import Any

import pytest

from boardroom.simulator.errors import TemplateError
from boardroom.simulator.router.chat_template import Message, render

ASK = Message("user", "Why?")
SYSTEM = Message("system", "Be brief.")


def test_questions_and_answers_alternate() -> None:
    chat = [ASK, Message("assistant", "So."), Message("user", "And?")]
    assert render(chat, "refuse-system").text == "<s>[INST] Why? [/INST]So.</s>[INST] And? [/INST]"


@pytest.mark.parametrize(("system", "text"), [("Be brief.", "Be brief.\n\nWhy?"), ("", "Why?")])
def test_a_system_message_goes_before_the_first_question(system: str, text: str) -> None:
    prompt = render([Message("system", system), ASK], "merge-system")
    assert (prompt.text, prompt.question) == (f"<s>[INST] {text} [/INST]", "Why?")


@pytest.mark.parametrize("chat", [[SYSTEM, ASK], [ASK, ASK], [Message("assistant", "Hello")]])
def test_what_does_not_alternate_is_a_template_error(chat: list[Message]) -> None:
    with pytest.raises(TemplateError, match="must alternate"):
        render(chat, "refuse-system")


def test_a_model_without_a_template_has_none() -> None:
    with pytest.raises(TemplateError, match="template not found"):
        render([ASK], "none")


def test_images_are_given_by_their_address() -> None:
    content: list[dict[str, Any]] = [
        {"type": "text", "text": "See "},
        {"type": "image_url", "image_url": {"url": "http://x"}},
    ]
    assert Message("user", content).text == "See ![](http://x)"
