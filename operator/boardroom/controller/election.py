"""Which of several operators leads: a Lease, held the way client-go holds it.

A candidate that has seen the Lease unchanged for its whole duration, by its own monotonic clock, takes it; clocks of
different machines are never compared. The leader gives up well before that: it stops writing once it has not renewed
for `renew_seconds`, whatever kept it from doing so.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from boardroom.controller.kinds import LEASE, Kind, Object
from boardroom.controller.kubeclient import ConflictError, Kube, KubeError, Listing

_log = logging.getLogger(__name__)
LEASE_NAME: Final = "boardroom-operator"


class LeadershipLostError(Exception):
    """Another operator leads, or may by now; whoever led must end."""


class NotLeadingError(KubeError):
    """A write that was not sent, because another operator may lead by now."""

    def __init__(self) -> None:
        super().__init__(0, "NotLeading", "not written: the Lease was not renewed in time, another operator may lead")


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How long a term lasts, when the leader gives it up without a renewal, and how often it is renewed or asked for.

    After the leader's death another leads within `duration_seconds` and two of `retry_seconds`.
    """

    duration_seconds: int = 12
    renew_seconds: float = 8.0
    retry_seconds: float = 2.0


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
    _version: str = ""
    _since: float = 0.0
    """When the Lease was first seen in this version."""
    _renewed: float = -math.inf

    def leads(self) -> bool:
        """Whether no other operator can lead now."""
        return self.clock() - self._renewed < self.terms.renew_seconds

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
            left = self._renewed + self.terms.renew_seconds - self.clock()
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
        self._renewed = -math.inf
        try:
            lease = await self.kube.get(LEASE, self.namespace, LEASE_NAME)
            if lease is not None and lease["spec"].get("holderIdentity") == self.identity:
                spec = lease["spec"] | {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": self._time()}
                await self.kube.apply(LEASE, self._manifest(spec, lease))
                _log.info("released the lease")
        except KubeError as error:
            _log.warning("the lease was not released, it will run out: %s", error)

    async def _attempt(self) -> str:
        """Take or renew the Lease where that is allowed; returns who holds it now, "" where that is not known."""
        started = self.clock()
        lease = await self.kube.get(LEASE, self.namespace, LEASE_NAME)
        try:
            if lease is None:
                spec = {"leaseTransitions": 0, "acquireTime": self._time()} | self._term()
                await self.kube.create(LEASE, self._manifest(spec))
            elif holder := self._other(lease):
                return holder
            else:
                await self.kube.apply(LEASE, self._manifest(self._next(lease["spec"]), lease))
        except ConflictError:
            return ""  # somebody else wrote it first
        self._renewed = started
        return self.identity

    def _other(self, lease: Object) -> str:
        """Who else holds the Lease, "" if nobody does or the term has run out."""
        version = lease["metadata"]["resourceVersion"]
        if version != self._version:
            self._version, self._since = version, self.clock()
        holder = str(lease["spec"].get("holderIdentity") or "")
        expired = self.clock() - self._since >= lease["spec"].get("leaseDurationSeconds", self.terms.duration_seconds)
        return "" if holder == self.identity or expired else holder

    def _next(self, spec: Object) -> Object:
        kept = {"acquireTime": spec.get("acquireTime"), "leaseTransitions": spec.get("leaseTransitions", 0)}
        if spec.get("holderIdentity") != self.identity:
            kept = {"acquireTime": self._time(), "leaseTransitions": kept["leaseTransitions"] + 1}
        return kept | self._term()

    def _term(self) -> Object:
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": self.terms.duration_seconds,
            "renewTime": self._time(),
        }

    def _time(self) -> str:
        return self.now().isoformat(timespec="microseconds").replace("+00:00", "Z")

    def _manifest(self, spec: Object, live: Object | None = None) -> Object:
        # With a version, a write that somebody else came before is a conflict.
        version = {"resourceVersion": live["metadata"]["resourceVersion"]} if live else {}
        metadata = {"name": LEASE_NAME, "namespace": self.namespace, **version}
        return {"apiVersion": LEASE.api_version, "kind": LEASE.name, "metadata": metadata, "spec": spec}


@dataclass(frozen=True)
class FencedKube:
    """An API server to which nothing is written once this operator may no longer lead."""

    kube: Kube
    leads: Callable[[], bool]

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return await self.kube.get(kind, namespace, name)

    async def list(self, kind: Kind, namespace: str | None, selector: str = "") -> Listing:
        return await self.kube.list(kind, namespace, selector)

    async def apply(self, kind: Kind, manifest: Object, *, force: bool = True) -> Object:
        self._check()
        return await self.kube.apply(kind, manifest, force=force)

    async def apply_status(self, kind: Kind, manifest: Object) -> Object:
        self._check()
        return await self.kube.apply_status(kind, manifest)

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        self._check()
        await self.kube.delete(kind, namespace, name, uid)

    async def create(self, kind: Kind, manifest: Object) -> Object:
        self._check()
        return await self.kube.create(kind, manifest)

    def _check(self) -> None:
        if not self.leads():
            raise NotLeadingError
