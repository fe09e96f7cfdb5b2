"""What stores answer: a Redis that is full, a replica, of a cluster, locked, or used by others too."""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from boardroom.coordinator.conversations.redis_refusals import refusal
from boardroom.coordinator.conversations.redis_store import RedisStore, connect
from boardroom.coordinator.errors import ConversationsRefused, ConversationsUnavailable
from component.coordinator.redis_server import redis_server

BOARD = "default/executive/1"
CONVERSATION = "conversation-of-somebody"
OPTION = "spec.coordinator.conversations.redis"
AGAIN = "ask again in a moment"


@dataclass(frozen=True)
class Redis:
    """A server as somebody set it up."""

    options: tuple[str, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    password: str = ""
    database: int = 0


@dataclass(frozen=True)
class Told:
    """What who asks is told: the server's code and words, and what helps; `passes` without a hand, perhaps."""

    code: str
    words: str
    remedy: str
    passes: bool = field(default=False)


def key(kind: str) -> str:
    return f"boardroom:{BOARD}:{kind}:{CONVERSATION}"


SERVERS = {
    "memory is full": (
        Redis(commands=(("CONFIG", "SET", "maxmemory", "1"),)),
        Told("OOM", "used memory > 'maxmemory'", "raise its maxmemory", passes=True),
    ),
    "a replica": (
        Redis(options=("--replicaof", "127.0.0.1", "1")),
        Told("READONLY", "against a read only replica", "name the primary", passes=True),
    ),
    "a replica without its primary": (
        Redis(options=("--replicaof", "127.0.0.1", "1", "--replica-serve-stale-data", "no")),
        Told("MASTERDOWN", "Link with MASTER is down", AGAIN, passes=True),
    ),
    "too few replicas to write": (
        Redis(options=("--min-replicas-to-write", "1")),
        Told("NOREPLICAS", "Not enough good replicas", AGAIN, passes=True),
    ),
    "it asks for a password": (
        Redis(options=("--requirepass", "sesame")),
        Told("NOAUTH", "Authentication required", f"{OPTION}.passwordSecretRef"),
    ),
    "a wrong password": (
        Redis(options=("--requirepass", "sesame"), password="simsim"),
        Told("WRONGPASS", "invalid username-password pair", "passwordSecretRef"),
    ),
    "a password where it asks for none": (
        Redis(password="simsim"),
        Told("ERR", "without any password configured", "asks for no password"),
    ),
    "an ACL without a right": (
        Redis(commands=(("ACL", "SETUSER", "default", "-evalsha"),)),
        Told("NOPERM", "evalsha", "the rights that docs/how-to/conversations.md names"),
    ),
    "an ACL without the keys": (
        Redis(commands=(("ACL", "SETUSER", "default", "resetkeys", "~theirs:*"),)),
        Told("NOPERM", "keys", "the rights that docs/how-to/conversations.md names"),
    ),
    "a command that was renamed away": (
        Redis(options=("--rename-command", "EVALSHA", "")),
        Told("ERR", "unknown command 'EVALSHA'", "lacks a command"),
    ),
    "a database that it has not": (
        Redis(options=("--databases", "1"), database=5),
        Told("ERR", "DB index is out of range", f"{OPTION}.database"),
    ),
    "another program's list where the claim would be": (
        Redis(commands=(("LPUSH", key("claim"), "x"),)),
        Told("WRONGTYPE", "the wrong kind of value", f"{OPTION}.database of its own"),
    ),
    "another program's list where the conversation would be": (
        Redis(commands=(("LPUSH", key("conversation"), "x"),)),
        Told("WRONGTYPE", "the wrong kind of value", f"{OPTION}.database of its own"),
    ),
}


@pytest.mark.parametrize(("made", "told"), SERVERS.values(), ids=SERVERS)
async def test_what_redis_refuses_is_said_without_keys_and_claims(made: Redis, told: Told, tmp_path: Path) -> None:
    with redis_server(tmp_path, *made.options) as server:
        with server.client() as admin:
            for command in made.commands:
                admin.execute_command(*command)
        async with contextlib.aclosing(connect(f"{server.url[:-1]}{made.database}", made.password)) as client:
            with pytest.raises(ConversationsUnavailable) as refused:
                await read(RedisStore(client, lambda: BOARD))
    said = str(refused.value)
    assert said.startswith(f"Redis, where conversations are kept, refuses ({told.code}: ")
    assert told.words in said
    assert told.remedy in said
    assert (AGAIN in said, not isinstance(refused.value, ConversationsRefused)) == (told.passes, told.passes)
    assert ("retry-after" in refused.value.headers) == told.passes
    for secret in (CONVERSATION, "boardroom:", "simsim", "user_script", "sha"):
        assert secret not in said.replace("evalsha", "")


async def read(store: RedisStore) -> None:
    async with store.claim(CONVERSATION):
        await store.read(CONVERSATION)


TEXTS = {
    "Redis 6: a step of a script": (
        "ERR Error running script (call to f_19a566204bb6): @user_script:4: @user_script: 4: -OOM no more memory.",
        "OOM",
        "no more memory",
    ),
    "a cluster's other node": ("MOVED 3999 10.0.0.7:6381", "MOVED", "to another node"),
    "a cluster, two keys": (
        "CROSSSLOT Keys in request don't hash to the same slot",
        "CROSSSLOT",
        "Keys in request don't hash to the same slot",
    ),
    "it starts": (
        "LOADING Redis is loading the dataset in memory",
        "LOADING",
        "Redis is loading the dataset in memory",
    ),
    "its disk is full": (
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
        "MISCONF",
        "Redis is configured to save RDB snapshots, but it's currently unable to persist to disk",
    ),
    "another's script": (
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        "BUSY",
        "Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE",
    ),
    "too many clients": ("ERR max number of clients reached", "ERR", "max number of clients reached"),
    "protected mode": ("DENIED Redis is running in protected mode", "DENIED", "Redis is running in protected mode"),
    "an ACL that names the key": (
        f"NOPERM User board has no permissions to access the '{key('claim')}' key",
        "NOPERM",
        "User board has no permissions to access the '… key",
    ),
}


@pytest.mark.parametrize(("reply", "code", "words"), TEXTS.values(), ids=TEXTS)
async def test_a_reply_of_redis_that_is_an_error(reply: str, code: str, words: str) -> None:
    found = refusal(parsed(reply))
    assert found is not None
    assert (found.code, found.text) == (code, words)


def parsed(reply: str) -> RedisError:
    """As the client reads it."""
    from redis._parsers.base import BaseParser

    error: RedisError = BaseParser.parse_error(reply)
    return error
