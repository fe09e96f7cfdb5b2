"""The coordinator's own metrics. Labels take values that are listed in code, or names of members."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from math import nan
from statistics import median
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from boardroom import __version__
from boardroom.api.ask import AnswerStatus, CoordinationMode, EngineName
from boardroom.coordinator.response import Usage

SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
MEMBERS = (1, 2, 3, 5, 8, 13, 21, 34, 55)
RATIOS = (1.05, 1.1, 1.25, 1.5, 2, 3, 5, 10)


class Basis(StrEnum):
    """The basis of an estimate of GPU-seconds; gpu_seconds.py explains it."""

    ALONE = "alone"
    BATCH = "batch"


class Metrics:
    """A registry for each coordinator, with the children of the hot path cached."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        ProcessCollector(registry=r)
        build = Gauge("boardroom_build_info", "1; the coordinator's version is a label.", ("version",), registry=r)
        build.labels(__version__).set(1)
        self.requests = Counter("boardroom_requests", "HTTP requests.", ("route", "mode", "code"), registry=r)
        self.errors = Counter("boardroom_errors", "Errors by code of the API.", ("route", "mode", "error"), registry=r)
        self.duration = Histogram(
            "boardroom_request_duration_seconds", "Time to answer.", ("route", "mode"), buckets=SECONDS, registry=r
        )
        self.in_flight = Gauge("boardroom_questions_in_flight", "Questions being asked.", registry=r)
        self.most_in_flight = Gauge("boardroom_questions_in_flight_limit", "Questions at once at most.", registry=r)
        self.conversations = Gauge(
            "boardroom_conversations", "Conversations kept in memory; NaN where Redis keeps them.", registry=r
        )
        self.conversations.set(nan)
        self.retries = Counter("boardroom_member_retries", "Repeated requests.", ("cause",), registry=r)
        self.fallbacks = Counter(
            "boardroom_fallbacks", "Members asked by standard inference after LoRAX failed.", ("cause",), registry=r
        )
        self.breaker_open = Gauge("boardroom_breaker_open", "1 while LoRAX is down and is not asked.", registry=r)
        self.held = Gauge("boardroom_held_requests", "Requests held back while LoRAX loads adapters.", registry=r)
        self.probes = Counter("boardroom_adapter_probes", "Probes of adapters.", ("outcome",), registry=r)
        self.adapters = Gauge("boardroom_adapters", "Adapters by what is known of them.", ("state",), registry=r)
        self.lorax_up = Gauge("boardroom_lorax_up", "Whether LoRAX answered its last health check.", registry=r)
        self.lorax_servers = Gauge(
            "boardroom_lorax_servers", "LoRAX servers that answered their last health check.", registry=r
        )
        self.lorax_wanted = Gauge(
            "boardroom_lorax_wanted", "1 where LoRAX is to run: it is enabled and the board not suspended.", registry=r
        )
        self.lorax_latency = Gauge(
            "boardroom_lorax_latency_average_seconds",
            "LoRAX's average latency over the last minute without our probes, as in the status; NaN without traffic.",
            registry=r,
        )
        self.lorax_latency_limit = Gauge(
            "boardroom_lorax_latency_warning_seconds", "spec.lorax.latencyWarningMs.", registry=r
        )
        self.members = Gauge("boardroom_members", "Members of the board.", registry=r)
        self.status_writes = Counter("boardroom_status_writes", "Writes of status.", ("outcome",), registry=r)
        self._requests: dict[tuple[str, str, int], Counter] = {}
        self._modes = {m: self.duration.labels("/v1/ask", m) for m in CoordinationMode}
        self._of_members(r)
        self._of_batches(r)

    def _of_members(self, r: CollectorRegistry) -> None:
        """Make the metrics whose label `agent` is a member's name: at most maxMembers values at a time."""
        self._names: frozenset[str] | None = None
        self.answers = Counter(
            "boardroom_member_answers",
            "Outcome of each member; engine is empty where none answered for it.",
            ("agent", "engine", "status", "cause"),
            registry=r,
        )
        self._seconds = Histogram(
            "boardroom_member_duration_seconds",
            "Time to a member's answer.",
            ("agent", "engine"),
            buckets=SECONDS,
            registry=r,
        )
        self._tokens = Counter(
            "boardroom_member_tokens",
            "Tokens of answers (completion) and of what they answer (prompt).",
            ("agent", "engine", "kind"),
            registry=r,
        )
        self._cold_loads = Counter(
            "boardroom_member_cold_loads", "Answers that waited for their adapter's load.", ("agent",), registry=r
        )
        self._failed_adapters = Gauge(
            "boardroom_member_adapter_failed", "1 where LoRAX can't answer through the adapter.", ("agent",), registry=r
        )
        self._by_member: tuple[Any, ...] = (
            self.answers,
            self._seconds,
            self._tokens,
            self._cold_loads,
            self._failed_adapters,
        )
        self._series: dict[tuple[str, EngineName], _AnswerSeries] = {}

    def _of_batches(self, r: CollectorRegistry) -> None:
        self.batch_size = Histogram(
            "boardroom_batch_members", "Members submitted together.", buckets=MEMBERS, registry=r
        )
        self.batch_seconds = Histogram(
            "boardroom_batch_duration_seconds", "From submission to the last answer.", buckets=SECONDS, registry=r
        )
        self._straggling = Histogram(
            "boardroom_batch_straggler_ratio",
            "Time of a batch's slowest answer over that of its median one.",
            buckets=RATIOS,
            registry=r,
        )
        self._busy = Counter(
            "boardroom_lorax_busy_seconds", "Time in which a question's request was in LoRAX.", registry=r
        )
        separate = Counter(
            "boardroom_estimated_separate_gpu_seconds",
            "Estimate: what the same answers would have taken on a GPU for each agent.",
            ("basis",),
            registry=r,
        )
        self._separate = {basis: separate.labels(basis) for basis in Basis}

    def answered(self, agent: str, engine: EngineName, seconds: float, usage: Usage, *, cold: bool) -> None:
        """Count a member's answer; `cold` if it waited for its adapter's load."""
        agent = self._label(agent)
        series = self._series.get((agent, engine))
        if series is None:
            series = self._series[agent, engine] = _AnswerSeries(
                self.answers, self._seconds, self._tokens, agent, engine
            )
        series.observe(seconds, usage)
        if cold:
            self._cold_loads.labels(agent).inc()

    def missing(self, agent: str, status: AnswerStatus, cause: str, engine: str = "") -> None:
        """Count a member that did not answer; `cause` is a code."""
        self.answers.labels(self._label(agent), engine, status, cause).inc()

    def batch(self, size: int, wall: float, latencies: Sequence[float]) -> None:
        """Count members that were asked together; `latencies` are the answers', in seconds."""
        self.batch_size.observe(size)
        self.batch_seconds.observe(wall)
        middle = median(latencies) if len(latencies) > 1 else 0.0
        if middle > 0:
            self._straggling.observe(max(latencies) / middle)

    def busy(self, seconds: float) -> None:
        """Count the seconds that LoRAX was at work since the last call."""
        self._busy.inc(seconds)

    def separate(self, basis: Basis, seconds: float) -> None:
        """Count the seconds that an answer would have taken on a GPU of its own."""
        self._separate[basis].inc(seconds)

    def request(self, route: str, mode: str, code: int, seconds: float, error: str = "") -> None:
        """Count a request; `error` is the API's code if it was answered with an error."""
        counter = self._requests.get((route, mode, code))
        if counter is None:
            counter = self._requests[route, mode, code] = self.requests.labels(route, mode, code)
        counter.inc()
        child = self._modes.get(mode)  # type: ignore[call-overload]
        (child if child is not None and route == "/v1/ask" else self.duration.labels(route, mode)).observe(seconds)
        if error:
            self.errors.labels(route, mode, error).inc()

    def adapter_failed(self, agent: str, *, failed: bool) -> None:
        """Set whether LoRAX can't answer through a member's adapter."""
        self._failed_adapters.labels(agent).set(failed)

    def set_members(self, agents: Iterable[str]) -> None:
        """Set the board's members; the series of former members are dropped."""
        names = frozenset(agents)
        for agent in (self._names or frozenset()) - names:
            for metric in self._by_member:
                metric.remove_by_labels({"agent": agent})
        self._series = {key: series for key, series in self._series.items() if key[0] in names}
        self._names = names
        self.members.set(len(names))

    def _label(self, agent: str) -> str:
        """The name of a member; empty for an agent that is no member, or no longer a member."""
        return agent if self._names is None or agent in self._names else ""


class _AnswerSeries:
    """The series of one member's answers by one engine."""

    def __init__(self, answers: Counter, seconds: Histogram, tokens: Counter, agent: str, engine: EngineName) -> None:
        self._answers = answers.labels(agent, engine, AnswerStatus.ANSWERED, "")
        self._seconds = seconds.labels(agent, engine)
        self._prompt = tokens.labels(agent, engine, "prompt")
        self._completion = tokens.labels(agent, engine, "completion")

    def observe(self, seconds: float, usage: Usage) -> None:
        """Count one answer."""
        self._answers.inc()
        self._seconds.observe(seconds)
        self._prompt.inc(usage.prompt_tokens)
        self._completion.inc(usage.completion_tokens)
