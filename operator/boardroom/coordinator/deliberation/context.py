"""What holds for every member and every round of one question."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from boardroom.api.ask import AskRequest
from boardroom.coordinator.listener import Listener
from boardroom.engine.protocol import PastTurn


class PromptContext(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller says to every member: below its system prompt, and what was said before.

    `histories` holds what each member (by name) said itself; `history` goes to all of them.
    """

    system: str = ""
    history: tuple[PastTurn, ...] = ()
    histories: Mapping[str, tuple[PastTurn, ...]] = {}
    response_format: Mapping[str, Any] | None = None
    """A JSON schema for every answer, unless the mode has one of its own."""
    notes: tuple[str, ...] = ()
    """What the caller offered and the board does not use; the notes come first of the answer's warnings."""


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
    """Gets what members say as they say it."""
