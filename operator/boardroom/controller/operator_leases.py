"""Detection of other operators: an operator runs if its Lease has a holder that renews it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from boardroom.kube.errors import RefusedError
from boardroom.kube.observed_lease import LeaseState, ObservedLease
from boardroom.kube.protocol import Kube

OPERATOR_LEASE: Final = "boardroom-operator"
"""Name of the Lease for the leader election among an operator's replicas."""
READ_SECONDS: Final = 5.0
"""The Lease of another operator is read at most once in so many seconds."""
VACANT_SECONDS: Final = 60.0
"""After so long without a holder an operator counts as gone: an upgrade replaces its pod in less."""


class OperatorState(StrEnum):
    """The state of another operator, according to its Lease."""

    RUNNING = "Running"
    GONE = "Gone"
    UNKNOWN = "Unknown"
    """This operator may not read the other operator's Lease."""


@dataclass
class _Operator:
    lease: ObservedLease
    vacant_since: float | None = None
    state: OperatorState = OperatorState.RUNNING


@dataclass
class OperatorLeases:
    """The Leases of other operators, by namespace."""

    kube: Kube
    clock: Callable[[], float]
    """Monotonic seconds."""
    vacant_seconds: float = VACANT_SECONDS
    _operators: dict[str, _Operator] = field(default_factory=dict)

    async def state(self, namespace: str) -> OperatorState:
        """The state of the operator in that namespace; RUNNING until its Lease has had no holder for long enough."""
        operator = self._operators.setdefault(
            namespace, _Operator(ObservedLease(self.kube, namespace, OPERATOR_LEASE, self.clock))
        )
        if operator.lease.age < READ_SECONDS:
            return operator.state
        try:
            is_held = await operator.lease.read() is LeaseState.HELD
        except RefusedError:
            operator.state, operator.vacant_since = OperatorState.UNKNOWN, None
            return operator.state
        if is_held:
            operator.vacant_since = None
        elif operator.vacant_since is None:
            operator.vacant_since = self.clock()
        vacant_since = operator.vacant_since
        is_gone = vacant_since is not None and self.clock() - vacant_since >= self.vacant_seconds
        operator.state = OperatorState.GONE if is_gone else OperatorState.RUNNING
        return operator.state
