"""The coordinator's own metrics; every label takes only values that are listed in code."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from boardroom.api.ask import AnswerStatus, CoordinationMode, EngineName

SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
MEMBERS = (1, 2, 3, 5, 8, 13, 21, 34, 55)


class Metrics:
    """One registry per coordinator, with the children of the hot path cached."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.requests = Counter("boardroom_requests", "HTTP requests.", ("route", "mode", "code"), registry=r)
        self.duration = Histogram(
            "boardroom_request_duration_seconds", "Time to answer.", ("route", "mode"), buckets=SECONDS, registry=r
        )
        self.in_flight = Gauge("boardroom_questions_in_flight", "Questions being asked.", registry=r)
        self.answers = Counter("boardroom_member_answers", "Outcome of each member.", ("status", "cause"), registry=r)
        self.retries = Counter("boardroom_member_retries", "Repeated requests.", ("cause",), registry=r)
        member = Histogram(
            "boardroom_member_duration_seconds", "Time to a member's answer.", ("engine",), buckets=SECONDS, registry=r
        )
        self._member_seconds = {engine: member.labels(engine) for engine in EngineName}
        self.fallbacks = Counter(
            "boardroom_fallbacks", "Members asked by standard inference after LoRAX failed.", ("cause",), registry=r
        )
        self.breaker_open = Gauge("boardroom_breaker_open", "1 while LoRAX is down and is not asked.", registry=r)
        self.cold_loads = Counter("boardroom_cold_loads", "Answers that waited for an adapter's load.", registry=r)
        self.batch_size = Histogram(
            "boardroom_batch_members", "Members submitted together.", buckets=MEMBERS, registry=r
        )
        self.batch_seconds = Histogram(
            "boardroom_batch_duration_seconds", "From submission to the last answer.", buckets=SECONDS, registry=r
        )
        self.held = Gauge("boardroom_held_requests", "Requests held back while LoRAX loads adapters.", registry=r)
        self.probes = Counter("boardroom_adapter_probes", "Probes of adapters.", ("outcome",), registry=r)
        self.adapters = Gauge("boardroom_adapters", "Adapters by what is known of them.", ("state",), registry=r)
        self.lorax_up = Gauge("boardroom_lorax_up", "Whether LoRAX answered its last health check.", registry=r)
        self.lorax_servers = Gauge(
            "boardroom_lorax_servers", "LoRAX servers that answered their last health check.", registry=r
        )
        self.members = Gauge("boardroom_members", "Members with a seat.", registry=r)
        self.status_writes = Counter("boardroom_status_writes", "Writes of status.", ("outcome",), registry=r)
        self._answered = self.answers.labels(AnswerStatus.ANSWERED, "")
        self._modes = {m: self.duration.labels("/v1/ask", m) for m in CoordinationMode}

    def answered(self, seconds: float, engine: EngineName, *, cold: bool) -> None:
        """A member answered."""
        self._answered.inc()
        self._member_seconds[engine].observe(seconds)
        if cold:
            self.cold_loads.inc()

    def request(self, route: str, mode: str, code: int, seconds: float) -> None:
        """A request was answered."""
        self.requests.labels(route, mode, code).inc()
        child = self._modes.get(mode)  # type: ignore[call-overload]
        (child if child is not None and route == "/v1/ask" else self.duration.labels(route, mode)).observe(seconds)
