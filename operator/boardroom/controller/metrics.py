"""What the operator says about itself to Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from boardroom.controller.kinds import Kind

_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The operator's metrics; label values are kinds, verbs and outcomes, never names of objects."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reconciles = Counter(
            "boardroom_operator_reconciles",
            "Reconciles of a board, by outcome (ok, error).",
            ["outcome"],
            registry=self.registry,
        )
        self.duration = Histogram(
            "boardroom_operator_reconcile_seconds",
            "Duration of one reconcile in seconds.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.requests = Counter(
            "boardroom_operator_api_requests",
            "Requests to the API server, by verb, kind and HTTP status (0: not reached).",
            ["verb", "kind", "code"],
            registry=self.registry,
        )
        self.events = Counter(
            "boardroom_operator_watch_events", "Watch events received, by kind.", ["kind"], registry=self.registry
        )
        self.depth = Gauge("boardroom_operator_queue_depth", "Boards that wait for a worker.", registry=self.registry)
        self.synced = Gauge(
            "boardroom_operator_last_resync_timestamp_seconds",
            "When everything was last listed.",
            registry=self.registry,
        )
        self.leader = Gauge("boardroom_operator_leader", "1 while this operator leads, else 0.", registry=self.registry)
        for outcome in ("ok", "error"):
            self.reconciles.labels(outcome)

    def request(self, verb: str, kind: Kind, status: int) -> None:
        """Count a request to the API server."""
        self.requests.labels(verb, kind.name, str(status)).inc()
