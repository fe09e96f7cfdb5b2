"""Conversations in the coordinator's memory, which end with the process."""

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from boardroom.api.conversation import Conversation
from boardroom.coordinator.conversations.store import BUSY
from boardroom.coordinator.errors import ConversationBusy

MAX_CONVERSATIONS: Final = 10_000
MAX_BYTES: Final = 64 * 1024 * 1024
"""The limit for all conversations together, as the container's memory allows; the least recently written go first."""


@dataclass(frozen=True, slots=True)
class _Kept:
    body: bytes
    until: float


class MemoryStore:
    """Keeps at most `max_conversations`, of `max_bytes` as JSON together; `clock` counts seconds."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        max_conversations: int = MAX_CONVERSATIONS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._clock = clock
        self._max_conversations, self._max_bytes = max_conversations, max_bytes
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0
        self._claimed: set[str] = set()

    def __len__(self) -> int:
        """The number of stored conversations. Expired conversations count until the next read of them."""
        return len(self._kept)

    @asynccontextmanager
    async def claim(self, conv_id: str) -> AsyncIterator[str]:
        """Claim the conversation for one question; raises ConversationBusy if another has it."""
        if conv_id in self._claimed:
            raise ConversationBusy(BUSY)
        self._claimed.add(conv_id)
        try:
            yield ""
        finally:
            self._claimed.discard(conv_id)

    async def read(self, conv_id: str) -> Conversation | None:
        """The conversation; None if there is none or it has expired."""
        kept = self._kept.get(conv_id)
        if kept is not None and kept.until <= self._clock():
            self._forget(conv_id)
            kept = None
        return Conversation.model_validate_json(kept.body) if kept else None

    async def write(self, conversation: Conversation, ttl_seconds: float, claim: str = "") -> None:  # noqa: ARG002 (Store)
        """Keep the conversation for `ttl_seconds`, in the place of what was kept before."""
        self._forget(conversation.conv_id)
        body = conversation.model_dump_json().encode()
        self._kept[conversation.conv_id] = _Kept(body, self._clock() + ttl_seconds)
        self._bytes += len(body)
        while len(self._kept) > self._max_conversations or self._bytes > self._max_bytes:
            self._forget(next(iter(self._kept)))

    async def delete(self, conv_id: str) -> bool:
        """Forget the conversation; whether there was one."""
        conversation = await self.read(conv_id)
        self._forget(conv_id)
        return conversation is not None

    async def close(self) -> None:
        """Do nothing: memory has no connections."""

    def _forget(self, conv_id: str) -> None:
        kept = self._kept.pop(conv_id, None)
        self._bytes -= len(kept.body) if kept else 0
