"""How long, and how much, conversations are kept in memory."""

import pytest

from boardroom.api.conversation import Conversation, ConversationMember, ConversationTurn
from boardroom.coordinator.conversations.memory import MemoryStore
from boardroom.coordinator.errors import ConversationBusy


def conversation(conv_id: str, said: str = "yes") -> Conversation:
    turn = ConversationTurn(request_id="r", asked="And now?", answered=said, engine=None, adapter=None)
    return Conversation(conv_id=conv_id, members=[ConversationMember(agent="ceo", role="CEO", uid="1", turns=[turn])])


async def kept(store: MemoryStore, *ids: str) -> list[str]:
    return [conv_id for conv_id in ids if await store.read(conv_id)]


async def test_what_was_written_is_read() -> None:
    store = MemoryStore()
    await store.write(conversation("a"), 60)
    assert await store.read("a") == conversation("a")


async def test_a_conversation_ends_with_its_time() -> None:
    now = [0.0]
    store = MemoryStore(lambda: now[0])
    await store.write(conversation("a"), 60)
    now[0] = 59
    assert await kept(store, "a") == ["a"]
    now[0] = 60
    assert (await kept(store, "a"), await store.delete("a")) == ([], False)


async def test_above_the_number_the_one_written_longest_ago_goes() -> None:
    store = MemoryStore(max_conversations=2)
    for conv_id in ("a", "b", "a", "c"):
        await store.write(conversation(conv_id), 60)
    assert await kept(store, "a", "b", "c") == ["a", "c"]


async def test_above_the_bytes_the_one_written_longest_ago_goes() -> None:
    store = MemoryStore(max_bytes=3000)
    await store.write(conversation("a", "x" * 1000), 60)
    await store.write(conversation("b", "x" * 1000), 60)
    await store.write(conversation("c", "x" * 1000), 60)
    assert await kept(store, "a", "b", "c") == ["b", "c"]


async def test_what_was_deleted_is_gone_and_its_room_is_free() -> None:
    store = MemoryStore(max_bytes=1500)
    await store.write(conversation("a", "x" * 1000), 60)
    assert (await store.delete("a"), await store.delete("a")) == (True, False)
    await store.write(conversation("b", "x" * 1000), 60)
    assert await kept(store, "a", "b") == ["b"]


async def claim(store: MemoryStore, conv_id: str, fault: Exception | None = None) -> None:
    async with store.claim(conv_id):
        if fault:
            raise fault


async def test_a_claim_shuts_out_the_next_one_of_that_conversation_only() -> None:
    store = MemoryStore()
    async with store.claim("a"):
        await claim(store, "b")
        with pytest.raises(ConversationBusy):
            await claim(store, "a")


async def test_a_claim_ends_however_the_question_ends() -> None:
    store = MemoryStore()
    with pytest.raises(ValueError, match="broken"):
        await claim(store, "a", ValueError("broken"))
    await claim(store, "a")
