"""What holds for every member and every round of one question."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from boardroom.api.ask import Parameters
from boardroom.coordinator.listener import Listener
from boardroom.engine.protocol import PastTurn


class PromptContext(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller says to every member: below its system prompt, and what was said before.

    `histories` are what each member (by name) said itself; `history` is said to all of them.
    """

    system: str = ""
    history: tuple[PastTurn, ...] = ()
    histories: Mapping[str, tuple[PastTurn, ...]] = {}
    response_format: Mapping[str, Any] | None = None
    """A JSON schema for every answer, unless the mode has one of its own."""
    notes: tuple[str, ...] = ()
    """Of what the caller offered and the board makes no use; they come first of the answer's warnings."""


NO_CONTEXT: Final = PromptContext()


class AskContext(msgspec.Struct, frozen=True, kw_only=True):
    """`began` is a time of the event loop's clock; the question may take `timeout` seconds from then."""

    request_id: str
    parameters: Parameters
    began: float
    timeout: float
    prompt: PromptContext = NO_CONTEXT
    use_lorax: bool = True
    max_concurrent: int | None = None
    """Members in one batch."""
    skip_errors: bool = True
    """Whether a member without an answer leaves the question going."""
    listener: Listener | None = None
    """Who hears what members say as they say it."""
