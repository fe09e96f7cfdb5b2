"""A follower's side: polls the leader for grants, applies them, and sends nothing when they run out."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Final

import aiohttp
import msgspec

from boardroom.api.status import LoraxMetrics
from boardroom.coordinator.backends.backend import OutcomeDelta
from boardroom.coordinator.backends.health_check import NEVER
from boardroom.coordinator.backends.pool import BackendPool
from boardroom.coordinator.peers.protocol import (
    GRANT_SECONDS,
    PATH,
    BackendState,
    GrantRequest,
    GrantResponse,
    OutcomeReport,
    encoder,
    state_decoder,
)

AGAIN_SECONDS: Final = 0.5
_TIMEOUT: Final = aiohttp.ClientTimeout(total=GRANT_SECONDS, sock_connect=1)
_MAX_BYTES: Final = 8 * 1024 * 1024
_OK: Final = 200
_JSON: Final = {"content-type": "application/json"}
_LOG = logging.getLogger(__name__)


class LeaderLostError(Exception):
    """The leader, as far as known, gave no grant; the message says why."""


class Follower:
    """Follows one leader after another. `metrics` are the board's figures as the leader told them last."""

    def __init__(self, pool: BackendPool, identity: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool, self._identity, self._clock = pool, identity, clock
        self._session: aiohttp.ClientSession | None = None
        self._leader, self._version = "", 0
        self._holds: dict[str, int] = {}
        self._known: frozenset[str] = frozenset()
        self._granted_at = -math.inf
        self.metrics: LoraxMetrics | None = None

    def heard_within(self, seconds: float) -> bool:
        """Whether the leader's last grant is not older than this."""
        return self._clock() < self._granted_at + seconds

    async def follow(self, leader: str, address: str) -> None:
        """Ask for one grant and apply it; raises LeaderLostError."""
        if leader != self._leader:
            self._leader, self._version, self._holds, self._granted_at = leader, 0, {}, -math.inf
        pending = {key: backend.take_outcomes() for key, backend in self._pool.backends.items()}
        outcomes = {key: delta for key, delta in pending.items() if delta is not None}
        doubts = {key: backend.health_check.doubts for key, backend in self._pool.backends.items()}
        asked_at = self._clock()
        try:
            state = await self._ask(address, outcomes)
        except LeaderLostError as error:
            self._put_back(outcomes)
            if not self.heard_within(GRANT_SECONDS):
                self._cut_off(f"{leader}, the coordinator that leads, can't be reached ({error})")
            raise
        self._granted_at, self._version = asked_at, state.version
        self._settle(state, doubts)
        await self._apply_grant(state, asked_at + GRANT_SECONDS)

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _request(self, outcomes: Mapping[str, OutcomeDelta]) -> GrantRequest:
        backends = self._pool.backends
        return GrantRequest(
            leader=self._leader,
            follower=self._identity,
            version=self._version,
            holds=self._holds,
            told={key: OutcomeReport.of(backends[key], delta) for key, delta in outcomes.items()},
        )

    async def _ask(self, address: str, outcomes: dict[str, OutcomeDelta]) -> GrantResponse:
        request = self._request(outcomes)
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar())
        try:
            async with self._session.post(
                f"http://{address}{PATH}", data=encoder.encode(request), headers=_JSON
            ) as response:
                body = await response.content.read(_MAX_BYTES)
                while more := await response.content.read(_MAX_BYTES):
                    body += more
                if response.status != _OK:
                    raise LeaderLostError(f"HTTP {response.status}: {body[:200].decode('utf-8', 'replace').strip()}")
                return state_decoder.decode(body)
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.MsgspecError) as error:
            raise LeaderLostError(f"{type(error).__name__}: {error}") from error

    async def _apply_grant(self, state: GrantResponse, until: float) -> None:
        """Take in the leader's state, send where it grants that, and wait until requests elsewhere have arrived."""
        if state.servers is not None:
            self.metrics = LoraxMetrics.model_validate(state.metrics) if state.metrics else None
            self._holds = {key: server.wave for key, server in state.servers.items() if server.wave is not None}
            self._known = frozenset(state.servers)
            self._take_in(state.servers)
        self._pool.grant(until, self._known.difference(self._holds))
        held = [backend for key, backend in self._pool.backends.items() if key in self._holds]
        await asyncio.gather(*(backend.admission.wait_arrived() for backend in held))

    def _settle(self, state: GrantResponse, doubts: Mapping[str, int]) -> None:
        """Settle the doubts that the leader was told of, if its health check has settled them."""
        for key, server in (state.servers or {}).items():
            if key in doubts and key in self._pool.backends:
                self._pool.backends[key].health_check.resolve(NEVER if server.unsure else doubts[key])

    def _take_in(self, servers: Mapping[str, BackendState]) -> None:
        """Take in the sidecars' reports first: they decide which adapters the registries have states of."""
        self._pool.set_reports({key: server.report for key, server in servers.items()})
        for key, backend in self._pool.backends.items():
            if key in servers:
                servers[key].write(backend)
        self._pool.resolve()

    def _cut_off(self, reason: str) -> None:
        if self._pool.cut_off != reason:
            _LOG.warning("cut off from the leading coordinator", extra={"leader": self._leader, "error": reason})
        self._pool.cut(reason)

    def _put_back(self, outcomes: dict[str, OutcomeDelta]) -> None:
        """Keep outcomes that could not be reported, for the next request."""
        for key, delta in outcomes.items():
            if key in self._pool.backends:
                self._pool.backends[key].put_back(delta)
