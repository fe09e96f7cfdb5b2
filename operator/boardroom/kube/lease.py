"""A Lease as one candidate sees it, the way client-go holds it: who has it, and what to write to have it. No I/O.

A candidate that has seen the Lease unchanged for its whole duration, by its own monotonic clock, takes it; clocks of
different machines are never compared.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

LEASE_API_VERSION: Final = "coordination.k8s.io/v1"
LEASE_KIND: Final = "Lease"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How long a term lasts, when whoever has it stops relying on it without a renewal, and how often it is renewed or
    asked for.
    """

    duration_seconds: int = 12
    renew_seconds: float = 8.0
    retry_seconds: float = 2.0


@dataclass
class Candidacy:
    """One candidate. `identity` is unique to this process: a restarted one does not inherit its term."""

    namespace: str
    name: str
    identity: str
    clock: Callable[[], float]
    """Monotonic seconds that go on while the process is stopped."""
    now: Callable[[], datetime]
    """For people who read the Lease; nothing is decided by it."""
    terms: Terms = field(default_factory=Terms)
    _version: str = ""
    _since: float = 0.0
    """When the Lease was first seen in this version."""
    _renewed: float = -math.inf

    def leads(self) -> bool:
        """Whether nobody else can lead now."""
        return self.clock() - self._renewed < self.terms.renew_seconds

    @property
    def rest(self) -> float:
        """Seconds until it can no longer be relied on."""
        return self._renewed + self.terms.renew_seconds - self.clock()

    def other(self, lease: dict[str, Any]) -> str:
        """Who else holds the Lease; "" if nobody does or the term has run out."""
        version = lease["metadata"]["resourceVersion"]
        if version != self._version:
            self._version, self._since = version, self.clock()
        holder = str(lease["spec"].get("holderIdentity") or "")
        expired = self.clock() - self._since >= lease["spec"].get("leaseDurationSeconds", self.terms.duration_seconds)
        return "" if holder == self.identity or expired else holder

    def bid(self, lease: dict[str, Any] | None) -> dict[str, Any]:
        """The Lease as it is to be written, made anew where there is none; then `won`."""
        if lease is None:
            return self._manifest({"leaseTransitions": 0, "acquireTime": self._time()} | self._term())
        return self._manifest(self._next(lease["spec"]), lease)

    def won(self, started: float) -> None:
        """A bid that began at this time of the clock was accepted."""
        self._renewed = started

    def resign(self) -> None:
        """Rely on the Lease no more."""
        self._renewed = -math.inf

    def released(self, lease: dict[str, Any]) -> dict[str, Any] | None:
        """The Lease as it is to be written so that another can lead at once; None where it is not this one's."""
        if lease["spec"].get("holderIdentity") != self.identity:
            return None
        spec = lease["spec"] | {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": self._time()}
        return self._manifest(spec, lease)

    def _next(self, spec: dict[str, Any]) -> dict[str, Any]:
        kept = {"acquireTime": spec.get("acquireTime"), "leaseTransitions": spec.get("leaseTransitions", 0)}
        if spec.get("holderIdentity") != self.identity:
            kept = {"acquireTime": self._time(), "leaseTransitions": kept["leaseTransitions"] + 1}
        return kept | self._term()

    def _term(self) -> dict[str, Any]:
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": self.terms.duration_seconds,
            "renewTime": self._time(),
        }

    def _time(self) -> str:
        return self.now().isoformat(timespec="microseconds").replace("+00:00", "Z")

    def _manifest(self, spec: dict[str, Any], live: dict[str, Any] | None = None) -> dict[str, Any]:
        # With a version, a write that somebody else came before is a conflict.
        version = {"resourceVersion": live["metadata"]["resourceVersion"]} if live else {}
        metadata = {"name": self.name, "namespace": self.namespace, **version}
        return {"apiVersion": LEASE_API_VERSION, "kind": LEASE_KIND, "metadata": metadata, "spec": spec}
