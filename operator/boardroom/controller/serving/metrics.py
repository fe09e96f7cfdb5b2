"""Prometheus metrics of the operator, and of each board's conditions."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from boardroom import __version__
from boardroom.api.conditions import BoardCondition
from boardroom.kube.kinds import Key, Kind

_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SHOWN: Final = (
    BoardCondition.READY,
    BoardCondition.STALLED,
    BoardCondition.LORAX_READY,
    BoardCondition.COORDINATOR_READY,
    BoardCondition.AGENTS_READY,
)
"""The controller's conditions; Reconciling has the same reason as Ready."""


class Metrics:
    """Labels are bounded: kinds, verbs, outcomes, reasons. Only boardroom_operator_board_condition names boards."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        ProcessCollector(registry=r)
        build = Gauge("boardroom_operator_build_info", "1; the operator's version is a label.", ["version"], registry=r)
        build.labels(__version__).set(1)
        self.reconciles = Counter(
            "boardroom_operator_reconciles", "Reconciles of a board, by outcome (ok, error).", ["outcome"], registry=r
        )
        self.retries = Counter(
            "boardroom_operator_retries",
            "Reconciles that failed and are tried again: conflict (somebody wrote at the same time), api (the API "
            "server refused or was not reached), fault (an error of the operator).",
            ["cause"],
            registry=r,
        )
        self.duration = Histogram(
            "boardroom_operator_reconcile_seconds",
            "Duration of one reconcile in seconds.",
            buckets=_BUCKETS,
            registry=r,
        )
        self.requests = Counter(
            "boardroom_operator_api_requests",
            "Requests to the API server, by verb, kind and HTTP status (0: not reached).",
            ["verb", "kind", "code"],
            registry=r,
        )
        self.events = Counter(
            "boardroom_operator_watch_events", "Watch events received, by kind.", ["kind"], registry=r
        )
        self._depth = Gauge("boardroom_operator_queue_depth", "Boards that wait for a worker.", registry=r)
        self._busy = Gauge("boardroom_operator_busy_workers", "Workers that reconcile a board.", registry=r)
        self.synced = Gauge(
            "boardroom_operator_last_resync_timestamp_seconds", "When everything was last listed.", registry=r
        )
        self.resync = Gauge(
            "boardroom_operator_resync_interval_seconds", "How often everything is to be listed.", registry=r
        )
        self.leader = Gauge("boardroom_operator_leader", "1 while this operator leads, else 0.", registry=r)
        self._conditions = Gauge(
            "boardroom_operator_board_condition",
            "1 for each condition of each board, as the leader found it.",
            ["board_namespace", "board", "condition", "status", "reason"],
            registry=r,
        )
        self._shown: dict[Key, frozenset[tuple[str, ...]]] = {}
        for outcome in ("ok", "error"):
            self.reconciles.labels(outcome)

    def request(self, verb: str, kind: Kind, status: int) -> None:
        """Count a request to the API server."""
        self.requests.labels(verb, kind.name, str(status)).inc()

    def failed(self, cause: str) -> None:
        """Count a reconcile that is retried because of `cause`."""
        self.reconciles.labels("error").inc()
        self.retries.labels(cause).inc()

    def observe_queue(self, waiting: Callable[[], int], busy: Callable[[], int]) -> None:
        """Set the functions that count waiting boards and busy workers at each scrape."""
        self._depth.set_function(waiting)
        self._busy.set_function(busy)

    def board(self, key: Key, conditions: Iterable[Mapping[str, Any]]) -> None:
        """Replace the series of a board's conditions; no conditions for a board that is deleted."""
        series = frozenset(
            (*key, str(c["type"]), str(c["status"]), str(c["reason"])) for c in conditions if c["type"] in _SHOWN
        )
        before = self._shown.pop(key, frozenset())
        for labels in before - series:
            self._conditions.remove(*labels)
        for labels in series - before:
            self._conditions.labels(*labels).set(1)
        if series:
            self._shown[key] = series
