"""A Lease in the way of client-go's leader election: pure functions of the live Lease and a monotonic clock, no I/O.

A Lease expires for an observer that has seen it unchanged for its whole duration, by the observer's own clock. The
clocks of different machines are never compared.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from boardroom.kube.kinds import LEASE, Object

LEASE_SECONDS: Final = 12
"""Duration of every Lease of ours."""


@dataclass(frozen=True, kw_only=True)
class LeaseTiming:
    """All in seconds."""

    duration: int = LEASE_SECONDS
    """After so long without a renewal another candidate may lead."""
    renew_deadline: float = 8.0
    """After so long without a renewal, which is well before that, the leader no longer relies on the Lease."""
    retry_period: float = 2.0
    """Between two attempts to acquire or renew."""


@dataclass
class LeaseExpiry:
    """Expiry of a Lease, as this observer measures it."""

    clock: Callable[[], float]
    """Monotonic seconds. This clock also advances while the process is stopped."""
    duration: int = LEASE_SECONDS
    """The duration in seconds of a Lease that names no duration."""
    _version: str = ""
    _since: float = 0.0
    """The time of the first observation of this version."""

    def is_expired(self, lease: Object) -> bool:
        """Whether the Lease had no renewal for its duration. Each call counts as an observation of the Lease."""
        version = lease["metadata"]["resourceVersion"]
        if version != self._version:
            self._version, self._since = version, self.clock()
        seconds: float = lease["spec"].get("leaseDurationSeconds", self.duration)
        return self.clock() - self._since >= seconds


def holder_of(lease: Object) -> str:
    """The identity of the candidate that acquired the Lease last; "" if the Lease was released."""
    return str(lease["spec"].get("holderIdentity") or "")


@dataclass(frozen=True, kw_only=True)
class LeaseRecord:
    """The fields of a Lease that a candidate writes."""

    namespace: str
    name: str
    identity: str
    duration: int
    now: Callable[[], datetime]
    """The wall clock for the Lease's timestamps, which inform people. The election does not depend on it."""

    def acquired(self, lease: Object | None) -> Object:
        """The manifest that acquires or renews the Lease. The write conflicts if another write comes before it."""
        if lease is None:
            return self._manifest({"leaseTransitions": 0, "acquireTime": self._time()} | self._term())
        spec = lease["spec"]
        acquired = {"acquireTime": spec.get("acquireTime"), "leaseTransitions": spec.get("leaseTransitions", 0)}
        if spec.get("holderIdentity") != self.identity:
            acquired = {"acquireTime": self._time(), "leaseTransitions": acquired["leaseTransitions"] + 1}
        return self._manifest(acquired | self._term(), lease)

    def released(self, lease: Object) -> Object | None:
        """The Lease released, so that another can acquire it at once; None if another holds it."""
        if lease["spec"].get("holderIdentity") != self.identity:
            return None
        spec = lease["spec"] | {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": self._time()}
        return self._manifest(spec, lease)

    def _term(self) -> dict[str, Any]:
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": self.duration,
            "renewTime": self._time(),
        }

    def _time(self) -> str:
        return self.now().isoformat(timespec="microseconds").replace("+00:00", "Z")

    def _manifest(self, spec: dict[str, Any], live: Object | None = None) -> Object:
        version = {"resourceVersion": live["metadata"]["resourceVersion"]} if live else {}
        metadata = {"name": self.name, "namespace": self.namespace, **version}
        return {"apiVersion": LEASE.api_version, "kind": LEASE.name, "metadata": metadata, "spec": spec}
