"""The chat template: the layout of Mistral's instruct models, whatever the base model."""

from collections.abc import Sequence
from typing import Any

import msgspec

from boardroom.simulator.errors import TemplateError
from boardroom.simulator.router.validation import Prompt
from boardroom.simulator.settings import ChatTemplate

_ALTERNATE = "syntax error: Conversation roles must alternate user/assistant/user/assistant/... (in <string>:1)"


class Message(msgspec.Struct):
    """A message of a chat."""

    role: str
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None

    @property
    def text(self) -> str:
        """The content as text; an image is given by its URL."""
        if isinstance(self.content, list):
            return "".join(_chunk(chunk) for chunk in self.content)
        return self.content or ""


def render(messages: Sequence[Message], template: ChatTemplate) -> Prompt:
    """Return the prompt of a chat; raises TemplateError.

    `merge-system` puts a system message before the first user message, `refuse-system` refuses one as Mistral's older
    templates do, and `none` is a model without a template.
    """
    if template == "none":
        raise TemplateError("template not found")
    turns = [(message.role, message.text) for message in messages]
    if template == "merge-system" and len(turns) > 1 and turns[0][0] == "system":
        (_, system), (role, first), *rest = turns
        turns = [(role, f"{system}\n\n{first}" if system else first), *rest]
    text = "<s>"
    for index, (role, content) in enumerate(turns):
        if role != ("user", "assistant")[index % 2]:
            raise TemplateError(_ALTERNATE)
        text += f"[INST] {content} [/INST]" if role == "user" else f"{content}</s>"
    question = next((message.text for message in reversed(messages) if message.role == "user"), "")
    return Prompt(text, question=question, special_tokens=False)


def _chunk(chunk: dict[str, Any]) -> str:
    if chunk.get("type") == "image_url":
        return f"![]({chunk.get('image_url', {}).get('url', '')})"
    return str(chunk.get("text", ""))
