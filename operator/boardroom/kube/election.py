"""Which of several operators leads: a Lease (kube/lease.py).

The leader gives up well before another can have taken it: it stops writing once it has not renewed for `renew_seconds`,
whatever kept it from doing so.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from boardroom.api.meta import OPERATOR_MANAGER
from boardroom.kube.client import ConflictError, Kube, KubeError, Page
from boardroom.kube.kinds import LEASE, Kind, Object
from boardroom.kube.lease import Candidacy, Terms

_log = logging.getLogger(__name__)
LEASE_NAME: Final = "boardroom-operator"


class LeadershipLostError(Exception):
    """Another operator leads, or may by now; whoever led must end."""


class NotLeadingError(KubeError):
    """A write that was not sent, because another operator may lead by now."""

    def __init__(self) -> None:
        super().__init__(0, "NotLeading", "not written: the Lease was not renewed in time, another operator may lead")


@dataclass
class Election:
    """One candidate. `identity` is unique to this process: a restarted one does not inherit its term."""

    kube: Kube
    namespace: str
    identity: str
    clock: Callable[[], float]
    """Monotonic seconds that go on while the process is stopped."""
    now: Callable[[], datetime]
    """For people who read the Lease; nothing is decided by it."""
    terms: Terms = field(default_factory=Terms)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _candidacy: Candidacy = field(init=False)

    def __post_init__(self) -> None:
        self._candidacy = Candidacy(self.namespace, LEASE_NAME, self.identity, self.clock, self.now, self.terms)

    def leads(self) -> bool:
        """Whether no other operator can lead now."""
        return self._candidacy.leads()

    async def acquire(self) -> bool:
        """Wait, however long it takes, until this candidate leads; True once it does."""
        last = ""
        while True:
            try:
                holder = await self._attempt()
            except KubeError as error:
                _log.warning("lease %s/%s: %s (HTTP %d)", self.namespace, LEASE_NAME, error, error.status)
            else:
                if holder == self.identity:
                    _log.info("leads as %s", self.identity)
                    return True
                if holder and holder != last:
                    _log.info("stands by: %s leads", holder)
                    last = holder
            await self.sleep(self.terms.retry_seconds)

    async def keep(self) -> None:
        """Renew for ever; raises LeadershipLostError when that failed for too long or another has the Lease."""
        while True:
            await self.sleep(self.terms.retry_seconds)
            left = self._candidacy.rest
            if left <= 0:
                raise LeadershipLostError(
                    f"the Lease was not renewed within {self.terms.renew_seconds:.0f} s: ending, another operator leads"
                )
            try:
                async with asyncio.timeout(left):
                    holder = await self._attempt()
            except (KubeError, TimeoutError) as error:
                _log.warning("lease %s/%s is not renewed: %s", self.namespace, LEASE_NAME, error or "no answer in time")
                continue
            if holder not in (self.identity, ""):
                raise LeadershipLostError(f"{holder} has taken the Lease: ending")

    async def release(self) -> None:
        """Let another lead at once. Only for a leader that writes nothing any more."""
        self._candidacy.resign()
        try:
            lease = await self.kube.get(LEASE, self.namespace, LEASE_NAME)
            released = self._candidacy.released(lease) if lease is not None else None
            if released is not None:
                await self.kube.apply(LEASE, released)
                _log.info("released the lease")
        except KubeError as error:
            _log.warning("the lease was not released, it will run out: %s", error)

    async def _attempt(self) -> str:
        """Take or renew the Lease where that is allowed; returns who holds it now, "" where that is not known."""
        started = self.clock()
        lease = await self.kube.get(LEASE, self.namespace, LEASE_NAME)
        if lease is not None and (holder := self._candidacy.other(lease)):
            return holder
        try:
            bid = self._candidacy.bid(lease)
            await (self.kube.create(LEASE, bid) if lease is None else self.kube.apply(LEASE, bid))
        except ConflictError:
            return ""  # somebody else wrote it first
        self._candidacy.won(started)
        return self.identity


@dataclass(frozen=True)
class FencedKube:
    """An API server to which nothing is written once this operator may no longer lead."""

    kube: Kube
    leads: Callable[[], bool]

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return await self.kube.get(kind, namespace, name)

    def pages(self, kind: Kind, namespace: str | None, selector: str = "") -> AsyncIterator[Page]:
        return self.kube.pages(kind, namespace, selector)

    async def apply(self, kind: Kind, manifest: Object, *, force: bool = True) -> Object:
        self._check()
        return await self.kube.apply(kind, manifest, force=force)

    async def apply_status(self, kind: Kind, manifest: Object, *, manager: str = OPERATOR_MANAGER) -> Object:
        self._check()
        return await self.kube.apply_status(kind, manifest, manager=manager)

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        self._check()
        await self.kube.delete(kind, namespace, name, uid)

    async def create(self, kind: Kind, manifest: Object) -> Object:
        self._check()
        return await self.kube.create(kind, manifest)

    def _check(self) -> None:
        if not self.leads():
            raise NotLeadingError
