"""Options of the operator."""

from dataclasses import dataclass
from pathlib import Path

from boardroom.api.meta import OPERATOR_HEALTH_PORT, OPERATOR_METRICS_PORT
from boardroom.api.settings import Defaults
from boardroom.controller.operator_leases import VACANT_SECONDS


@dataclass(frozen=True, kw_only=True)
class Options:
    """The flags of `boardroom operator`."""

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
    """How long a watch may fail to report what a list has found before liveness fails."""
    rollouts_at_once: int = 1
    """Boards that roll out a change of the operator's own at the same time."""
    lease_namespace: str | None = None
    """Namespace of the Lease by which one of several replicas leads; None: this one leads without a Lease."""
    takeover_seconds: float = VACANT_SECONDS
    """How long another operator's Lease has no holder before this operator takes its boards over."""
