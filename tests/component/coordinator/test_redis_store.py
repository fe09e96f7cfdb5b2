"""Conversations in a real Redis, shared by coordinators that know nothing of each other."""

import asyncio
import contextlib
import math
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from boardroom.cli.processes import free_port
from boardroom.cluster.pki import Authority, Identity
from boardroom.coordinator.conversations import redis_store as redisstore
from boardroom.coordinator.conversations.redis_store import RedisStore, connect
from boardroom.coordinator.errors import ConversationBusy, ConversationsUnavailable
from component.coordinator.redis_server import LEASE_SECONDS, NOWHERE, RedisServer, redis_server, store
from component.coordinator.standing_board import Board, Standing, agent, served, standing, until
from component.coordinator.test_conversations import Members, texts
from component.engine.scripted_lorax import ScriptedLorax
from unit.coordinator.test_memory import conversation


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    with running.client() as client:
        client.flushall()
    return running


@contextlib.asynccontextmanager
async def stores(url: str, *scopes: str) -> AsyncIterator[list[RedisStore]]:
    made = [store(url, scope)[0] for scope in scopes]
    try:
        yield made
    finally:
        for one in made:
            await one.close()


BOARD = "default/executive/1"
DOCS = Path(__file__).parents[3] / "docs/how-to/conversations.md"


async def claim_once(one: RedisStore, conv_id: str = "c") -> None:
    async with one.claim(conv_id):
        pass


async def test_what_one_wrote_the_other_reads_and_deletes(server: RedisServer) -> None:
    async with stores(server.url, BOARD, BOARD) as (one, other):
        async with one.claim("c") as claim:
            await one.write(conversation("c", "ja: 是"), 60, claim)
        assert await other.read("c") == conversation("c", "ja: 是")
        assert (await other.delete("c"), await one.delete("c"), await one.read("c")) == (True, False, None)


async def test_boards_of_one_redis_know_nothing_of_each_other(server: RedisServer) -> None:
    scopes = (BOARD, "default/executive/2", "default/other/1", "sales/executive/1")
    async with stores(server.url, *scopes) as made:
        async with made[0].claim("c") as claim:
            await made[0].write(conversation("c"), 60, claim)
            for other in made[1:]:
                await claim_once(other)
        assert [await one.read("c") is not None for one in made] == [True, False, False, False]


async def test_the_server_forgets_a_conversation_and_leaves_no_claim_behind(server: RedisServer) -> None:
    async with stores(server.url, BOARD) as (one,), one.claim("c") as claim:
        await one.write(conversation("c"), 100, claim)
    with server.client() as client:
        assert client.keys() == [f"boardroom:{BOARD}:conversation:c"]
        assert 90_000 < client.pttl(f"boardroom:{BOARD}:conversation:c") <= 100_000


async def test_a_claim_shuts_out_every_other_coordinator_for_as_long_as_it_takes(server: RedisServer) -> None:
    async with stores(server.url, BOARD, BOARD) as (one, other):
        async with one.claim("c") as claim:
            await asyncio.sleep(2 * LEASE_SECONDS)  # it is renewed
            with pytest.raises(ConversationBusy):
                await claim_once(other)
            await claim_once(other, "another")
            await one.write(conversation("c"), 60, claim)
        await claim_once(other)
        assert await other.read("c") is not None


HOLDER = """
import asyncio, sys
from boardroom.coordinator.conversations.redis_store import RedisStore, connect

async def main():
    store = RedisStore(connect(sys.argv[1]), lambda: sys.argv[2], lease_seconds=float(sys.argv[3]))
    async with store.claim("c"):
        print("claimed", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_the_claim_of_a_coordinator_that_was_killed_ends_by_itself(server: RedisServer) -> None:
    command = [sys.executable, "-c", HOLDER, server.url, BOARD, str(LEASE_SECONDS)]
    holder = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"claimed\n"
    async with stores(server.url, BOARD) as (other,):
        await asyncio.sleep(2 * LEASE_SECONDS)
        with pytest.raises(ConversationBusy):
            await claim_once(other)
        holder.kill()
        await holder.wait()
        await until_free(other)


async def until_free(one: RedisStore) -> None:
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(ConversationBusy):
                return await claim_once(one)
            await asyncio.sleep(0.05)


async def test_who_lost_the_claim_neither_writes_over_nor_releases_what_another_has(server: RedisServer) -> None:
    async with stores(server.url, BOARD, BOARD) as (one, other), AsyncExitStack() as held:
        async with one.claim("c") as lost:
            with server.client() as client:
                client.delete(f"boardroom:{BOARD}:claim:c")
            claim = await held.enter_async_context(other.claim("c"))
            await other.write(conversation("c", "the other's"), 60, claim)
            with pytest.raises(ConversationsUnavailable, match="another may have been"):
                await one.write(conversation("c", "mine"), 60, lost)
        with pytest.raises(ConversationBusy):
            await claim_once(one)
        assert await one.read("c") == conversation("c", "the other's")


async def test_a_step_that_is_repeated_because_its_answer_was_lost_claims_once(server: RedisServer) -> None:
    client = connect(server.url)
    claim = client.register_script(redisstore._CLAIM)
    assert [await claim(keys=["k"], args=[token, 1000]) for token in ("a", "a", "b")] == [1, 1, 0]
    await client.aclose()


async def test_a_conversation_too_large_is_not_kept_and_says_so(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redisstore, "MAX_BYTES", 500)
    async with stores(server.url, BOARD) as (one,):
        async with one.claim("c") as claim:
            with pytest.raises(ConversationsUnavailable, match=r"500 are kept: lower .*maxTokens"):
                await one.write(conversation("c", "x" * 500), 60, claim)
        assert await one.read("c") is None


async def test_what_is_not_ours_says_so_and_can_be_deleted(server: RedisServer) -> None:
    with server.client() as client:
        client.set(f"boardroom:{BOARD}:conversation:c", "something else")
    async with stores(server.url, BOARD) as (one,):
        with pytest.raises(ConversationsUnavailable, match="DELETE it"):
            await one.read("c")
        assert await one.delete("c")


async def claim_at(url: str, password: str = "", ca: str = "") -> None:
    async with contextlib.aclosing(connect(url, password, ca)) as client:
        await claim_once(RedisStore(client, lambda: BOARD))


async def test_a_password_is_sent_and_a_wrong_one_is_said_without_it(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--requirepass", "sesame") as server:
        await claim_at(server.url, "sesame")
        with pytest.raises(ConversationsUnavailable, match="invalid username-password pair") as refused:
            await claim_at(server.url, "simsim")
        with pytest.raises(ConversationsUnavailable, match="Authentication required"):
            await claim_at(server.url)
    assert "simsim" not in str(refused.value)


async def test_an_acl_user_needs_the_rights_that_the_docs_name_and_no_others(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        [rights] = re.findall(r"`(~boardroom:[^`]*)`", DOCS.read_text(encoding="utf-8"))
        with server.client() as admin:
            admin.execute_command("ACL", "SETUSER", "board", "on", ">sesame", *rights.split())
        url = server.url.replace("redis://", "redis://board@")
        async with contextlib.aclosing(connect(url, "sesame")) as client:
            one = RedisStore(client, lambda: BOARD, lease_seconds=LEASE_SECONDS)
            async with one.claim("c") as claim:
                await asyncio.sleep(LEASE_SECONDS)
                await one.write(conversation("c"), 60, claim)
            assert (await one.read("c"), await one.delete("c")) == (conversation("c"), True)


async def test_tls_is_spoken_with_whom_the_given_authority_signed_for_that_name_only(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    pair = authority.issue(Identity(name="redis", common_name="redis", hosts=["127.0.0.1"]))
    options = ["--tls-port", str(port := free_port()), "--tls-auth-clients", "no"]
    options += ["--tls-cert-file", str(pair.certificate), "--tls-key-file", str(pair.key)]
    options += ["--tls-ca-cert-file", str(authority.pair.certificate)]
    with redis_server(tmp_path, *options):
        ca = authority.pair.certificate.read_text()
        await claim_at(f"rediss://127.0.0.1:{port}/0", ca=ca)
        for url, given in ((f"rediss://localhost:{port}/0", ca), (f"rediss://127.0.0.1:{port}/0", "")):
            with pytest.raises(ConversationsUnavailable, match="certificate verify failed"):
                await claim_at(url, ca=given)


def test_the_password_is_kept_out_of_the_url() -> None:
    assert connect("redis://board@redis:6379/2", "sesame").get_connection_kwargs().items() >= {
        ("host", "redis"),
        ("port", 6379),
        ("db", 2),
        ("username", "board"),
        ("password", "sesame"),
    }


async def test_a_replica_is_left_for_whoever_is_the_primary_now(server: RedisServer) -> None:
    """A Service before the primary leads elsewhere after a failover, and a connection that stands does not."""
    async with stores(server.url, BOARD) as (one,):
        with server.client() as admin:
            admin.replicaof("127.0.0.1", "1")
            with pytest.raises(ConversationsUnavailable, match="READONLY"):
                await claim_once(one)
            admin.replicaof("no", "one")
            before = admin.info("stats")["total_connections_received"]
            await claim_once(one)
            assert admin.info("stats")["total_connections_received"] == before + 1


@contextlib.asynccontextmanager
async def two_coordinators(board: Board, redis_url: str) -> AsyncIterator[tuple[Standing, Standing, Members]]:
    """Of one board and one LoRAX, with one Redis."""
    members = Members()
    board.write(agent("CEO"), agent("CFO"))
    async with (
        served(ScriptedLorax(members)) as url,
        standing(board, url, redis_url=redis_url) as one,
        standing(board, url, redis_url=redis_url) as other,
    ):
        yield one, other, members


async def test_a_conversation_goes_on_at_the_other_coordinator(board: Board, server: RedisServer) -> None:
    async with two_coordinators(board, server.url) as (one, other, members):
        await one.answer(conv_id="c", user_input="One?")
        second = await other.answer(conv_id="c", user_input="Two?")
        third = await one.answer(conv_id="c", user_input="Three?")
        found = (await other.client.get("/v1/conversations/c")).json()
        deleted = await other.client.delete("/v1/conversations/c")
        gone = await one.client.get("/v1/conversations/c")
        kept = one.coordinator.metrics.registry.get_sample_value("boardroom_conversations")
    assert kept is not None
    assert math.isnan(kept)
    assert [texts(second), texts(third)] == [{"CEO": "ceo 1", "CFO": "cfo 1"}, {"CEO": "ceo 2", "CFO": "cfo 2"}]
    asked = [[turn["asked"] for turn in member["turns"]] for member in found["members"]]
    assert asked == [["One?", "Two?", "Three?"]] * 2
    assert (deleted.status_code, gone.status_code) == (204, 404)
    assert members.heard["cfo"][1] == [("user", "One?"), ("assistant", "cfo 0"), ("user", "Two?")]


async def test_of_two_questions_at_two_coordinators_one_is_answered_and_one_gets_409(
    board: Board, server: RedisServer
) -> None:
    async with two_coordinators(board, server.url) as (one, other, members):
        members.held = asyncio.Event()
        first = asyncio.create_task(one.answer(conv_id="c"))
        await until(lambda: "ceo" in members.heard)
        refused = await other.ask(conv_id="c")
        members.held.set()
        await first
        answer = await other.answer(conv_id="c")
    found = (refused.status_code, refused.json()["error"]["code"], refused.headers["retry-after"])
    assert found == (409, "conversation_busy", "1")
    assert texts(answer) == {"CEO": "ceo 1", "CFO": "cfo 1"}


async def test_without_redis_a_conversation_is_refused_and_other_questions_go_on(board: Board) -> None:
    async with two_coordinators(board, NOWHERE) as (one, _, members):
        refused = [
            await one.ask(conv_id="c"),
            await one.ask(conv_id="c", stream=True),
            await one.client.get("/v1/conversations/c"),
            await one.client.delete("/v1/conversations/c"),
        ]
        answer = await one.answer()
    for response in refused:
        error = response.json()["error"]
        found = (response.status_code, error["code"], error["field"], response.headers["retry-after"])
        assert found == (503, "conversations_unavailable", "conv_id", "2")
    assert (texts(answer), len(members.heard["ceo"])) == ({"CEO": "ceo 0", "CFO": "cfo 0"}, 1)


async def test_an_answer_that_redis_could_not_keep_says_so_and_the_conversation_goes_on_when_it_is_back(
    board: Board, server: RedisServer
) -> None:
    async with two_coordinators(board, server.url) as (one, other, members):
        members.held = asyncio.Event()
        first = asyncio.create_task(one.answer(conv_id="c"))
        await until(lambda: "ceo" in members.heard)
        server.stop()
        members.held.set()
        answer = await first
        server.start()
        later = await other.answer(conv_id="c")
    [warning] = answer["warnings"]
    assert warning.startswith("the next question of this conversation will not know of this one: Redis")
    assert [texts(answer), texts(later)] == [{"CEO": "ceo 0", "CFO": "cfo 0"}] * 2
    assert later["warnings"] == []
