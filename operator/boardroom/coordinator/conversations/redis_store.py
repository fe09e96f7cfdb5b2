"""Conversations in Redis or Valkey: any coordinator of the board continues them, and they outlive its pod.

A claim is a key that holds a token of one question. The coordinator renews its claims, and a claim expires soon after
its coordinator has died. A question that lost its claim (the server forgot it, or could not be reached for too long)
can neither write nor release: both compare the token first, in one script on the server.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from pydantic import ValidationError
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from boardroom.api.conversation import Conversation
from boardroom.coordinator.conversations.redis_refusals import refusal
from boardroom.coordinator.conversations.store import BUSY
from boardroom.coordinator.errors import ConversationBusy, ConversationsRefused, ConversationsUnavailable

LEASE_SECONDS: Final = 15.0
"""The time for which a conversation stays claimed by a coordinator that died."""

OPERATION_SECONDS: Final = 2.0
"""The longest wait for one command, reconnecting included."""

MAX_BYTES: Final = 8 * 1024 * 1024
"""The most that one conversation may have as JSON."""

_MAX_CONNECTIONS: Final = 32
_LOG = logging.getLogger(__name__)

# the token is there already if the server's answer was lost and the command is repeated
_CLAIM: Final = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RENEW: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
_RELEASE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
_WRITE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1
"""


def connect(url: str, password: str = "", ca: str = "") -> Redis:
    """A client with a connection pool, which connects on first use. `ca` is PEM. Raises ValueError for an invalid URL.

    The password is not part of the URL, because the URL is one of the pod's arguments.
    """
    own = {"ssl_ca_data": ca} if ca and url.startswith("rediss://") else {}
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=_MAX_CONNECTIONS,
        timeout=OPERATION_SECONDS,
        socket_timeout=OPERATION_SECONDS,
        socket_connect_timeout=OPERATION_SECONDS,
        retry=Retry(NoBackoff(), 1),  # a server closes connections that were idle for long
        client_name="boardroom",
        protocol=2,  # older servers know no other version, and this one is enough
        **({"password": password} if password else {}),
        **own,
    )
    return Redis.from_pool(pool)


class RedisStore:
    """Keeps one board's conversations. Every key begins with what `scope` returns. Raises what `scope` raises."""

    def __init__(self, client: Redis, scope: Callable[[], str], *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._client, self._scope = client, scope
        self._lease_seconds = lease_seconds
        self._claim = client.register_script(_CLAIM)
        self._renew = client.register_script(_RENEW)
        self._release = client.register_script(_RELEASE)
        self._write = client.register_script(_WRITE)
        self._problem = ""

    @asynccontextmanager
    async def claim(self, conv_id: str) -> AsyncIterator[str]:
        """Claim the conversation for one question of all coordinators; raises ConversationBusy if another has it."""
        key, claim = self._claim_key(conv_id), secrets.token_hex(16)
        lease = round(1000 * self._lease_seconds)
        if not await self._reach(self._claim(keys=[key], args=[claim, lease])):
            raise ConversationBusy(BUSY)
        renewing = asyncio.create_task(self._keep_claim(key, claim, lease))
        try:
            yield claim
        finally:
            renewing.cancel()
            with suppress(ConversationsUnavailable):  # the claim then expires
                await self._reach(self._release(keys=[key], args=[claim]))

    async def read(self, conv_id: str) -> Conversation | None:
        """The conversation; None if there is none or it has expired."""
        body = await self._reach(self._client.get(self._key(conv_id)))
        try:
            return Conversation.model_validate_json(body) if body is not None else None
        except ValidationError as error:
            raise ConversationsUnavailable("what is kept of this conversation can't be read: DELETE it") from error

    async def write(self, conversation: Conversation, ttl_seconds: float, claim: str) -> None:
        """Keep the conversation for `ttl_seconds`, unless the claim was lost."""
        body = conversation.model_dump_json().encode()
        if len(body) > MAX_BYTES:
            raise ConversationsUnavailable(
                f"it has {len(body)} bytes, and {MAX_BYTES} are kept: lower spec.coordinator.conversations.maxTokens"
            )
        keys = [self._claim_key(conversation.conv_id), self._key(conversation.conv_id)]
        if not await self._reach(self._write(keys=keys, args=[claim, body, round(1000 * ttl_seconds)])):
            raise ConversationsUnavailable("Redis forgot that this question was at it, and another may have been")

    async def delete(self, conv_id: str) -> bool:
        """Forget the conversation; whether there was one."""
        return bool(await self._reach(self._client.delete(self._key(conv_id))))

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _keep_claim(self, key: str, claim: str, lease: int) -> None:
        """Renew a claim until it is lost; Redis may answer again before the claim expires."""
        held = True
        while held:
            await asyncio.sleep(self._lease_seconds / 3)
            with suppress(ConversationsUnavailable):
                held = bool(await self._reach(self._renew(keys=[key], args=[claim, lease])))

    async def _reach(self, command: Awaitable[Any]) -> Any:
        """The command's reply; raises ConversationsUnavailable if the server gives none, and logs that once."""
        try:
            async with asyncio.timeout(OPERATION_SECONDS):
                reply = await command
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            refused = refusal(error)
            self._log_problem(_unanswered(error) if refused is None else str(refused))
            if refused is None:
                raise ConversationsUnavailable(_unanswered(error), field="conv_id") from error
            if refused.code == "READONLY":  # its primary may be another by now, under the same name
                await self._client.connection_pool.disconnect(inuse_connections=False)
            problem = ConversationsRefused if refused.remedy else ConversationsUnavailable
            raise problem(str(refused), field="conv_id") from error
        if self._problem:
            _LOG.info("conversations can be reached again")
        self._problem = ""
        return reply

    def _log_problem(self, problem: str) -> None:
        """Log a problem, unless it was logged last."""
        if problem != self._problem:
            _LOG.warning("conversations can't be reached", extra={"reason": problem})
        self._problem = problem

    def _key(self, conv_id: str) -> str:
        return f"boardroom:{self._scope()}:conversation:{conv_id}"

    def _claim_key(self, conv_id: str) -> str:
        return f"boardroom:{self._scope()}:claim:{conv_id}"


def _unanswered(error: Exception) -> str:
    why = str(error) or "no answer in time"
    return f"Redis, where conversations are kept, does not answer ({why}): ask again in a moment, or without conv_id"
