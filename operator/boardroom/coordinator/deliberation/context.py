"""The context of a question, the same for every member and every round."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from boardroom.api.ask import AskRequest
from boardroom.coordinator.listener import Listener
from boardroom.engine.protocol import PastTurn


class PromptContext(msgspec.Struct, frozen=True, kw_only=True):
    """The caller's part of every member's prompt: the text below the member's system prompt, and the history.

    `histories` holds each member's own past turns, by name; `history` goes to all members.
    """

    system: str = ""
    history: tuple[PastTurn, ...] = ()
    histories: Mapping[str, tuple[PastTurn, ...]] = {}
    response_format: Mapping[str, Any] | None = None
    """A JSON schema for every answer, unless the mode has one of its own."""
    notes: tuple[str, ...] = ()
    """Notes on input of the caller that the board does not use; they are the first of the answer's warnings."""


NO_CONTEXT: Final = PromptContext()


class AskContext(msgspec.Struct, frozen=True, kw_only=True):
    """A valid question. `began` is a time of the event loop's clock; the question may take `timeout` seconds from
    then.
    """

    request: AskRequest
    request_id: str
    began: float
    timeout: float
    prompt: PromptContext = NO_CONTEXT
    listener: Listener | None = None
    """Receives members' texts piece by piece."""
