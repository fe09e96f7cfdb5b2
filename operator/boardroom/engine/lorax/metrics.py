"""Parses LoRAX's /metrics page. Pure."""

from math import inf

from prometheus_client.parser import text_string_to_metric_families

from boardroom.engine.metrics import EngineMetrics, Histogram

REQUESTS = "lorax_request_count"
FAILURES = "lorax_request_failure"
QUEUE = "lorax_queue_length"
DURATION = "lorax_request_duration"
_PARSED = tuple(
    f"{name}{separator}"
    for name in (REQUESTS, FAILURES, QUEUE, f"{DURATION}_bucket", f"{DURATION}_sum", f"{DURATION}_count")
    for separator in (" ", "{")
)
"""How the lines begin that are parsed."""


def parse(page: str) -> EngineMetrics:
    """Parse a /metrics page; raises ValueError if the page is not Prometheus text.

    Other lines are dropped first: LoRAX's page has about 78 kB, nearly all of it one histogram of 1,024 buckets.
    """
    lines = "\n".join(line for line in page.splitlines() if line.startswith(_PARSED)) + "\n"
    requests = failures = total = count = 0.0
    queue: float | None = None
    buckets: list[tuple[float, float]] = []
    for family in text_string_to_metric_families(lines):
        for sample in family.samples:
            match sample.name:
                case "lorax_request_count":
                    requests += sample.value
                case "lorax_request_failure":
                    failures += sample.value
                case "lorax_queue_length":
                    queue = sample.value
                case "lorax_request_duration_sum":
                    total += sample.value
                case "lorax_request_duration_count":
                    count += sample.value
                case "lorax_request_duration_bucket":
                    buckets.append((_bound(sample.labels.get("le", "")), sample.value))
    return EngineMetrics(
        requests=int(requests),
        failures=int(failures),
        queue_length=None if queue is None else max(0, int(queue)),
        duration=Histogram(buckets=tuple(sorted(buckets)), total=total, count=count),
    )


def _bound(text: str) -> float:
    return inf if text == "+Inf" else float(text)
