"""How the operator runs."""

from dataclasses import dataclass
from pathlib import Path

from boardroom.api.meta import OPERATOR_HEALTH_PORT, OPERATOR_METRICS_PORT
from boardroom.api.settings import Defaults
from boardroom.controller.operator_leases import VACANT_SECONDS


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `boardroom operator` is started with."""

    defaults: Defaults
    namespaces: tuple[str, ...] = ()
    kubeconfig: Path | None = None
    context: str | None = None
    host: str = "127.0.0.1"
    metrics_port: int = OPERATOR_METRICS_PORT
    health_port: int = OPERATOR_HEALTH_PORT
    workers: int = 8
    resync_seconds: float = 600.0
    watch_grace_seconds: float = 120.0
    """How long a watch may owe what a list has found before the operator counts as dead."""
    rollouts_at_once: int = 1
    """Boards whose pods are replaced at the same time where the reason is the operator's own."""
    lease_namespace: str | None = None
    """Where the Lease is by which one of several operators leads; None: this one does."""
    takeover_seconds: float = VACANT_SECONDS
    """How long another operator's Lease has no holder before this one takes its boards over."""
