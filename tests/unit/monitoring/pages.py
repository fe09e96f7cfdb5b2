"""Pages of both programs with every series that needs an event to appear."""

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from boardroom.api.ask import AnswerStatus, EngineName
from boardroom.controller.serving.metrics import Metrics as OperatorMetrics
from boardroom.coordinator.metrics import Basis
from boardroom.coordinator.metrics import Metrics as CoordinatorMetrics
from boardroom.coordinator.response import Usage
from boardroom.kube.kinds import BOARDROOM

_SKIPPED = ("process_", "_created")


def coordinator_page() -> bytes:
    m = CoordinatorMetrics()
    m.set_members(["ceo"])
    m.answered("ceo", EngineName.LORAX, 0.2, Usage(prompt_tokens=7, completion_tokens=3), cold=True)
    m.missing("ceo", AnswerStatus.FAILED, "timeout")
    m.adapter_failed("ceo", failed=True)
    m.batch(5, 1.0, [1.0, 2.0])
    m.busy(1.0)
    m.separate(Basis.BATCH, 5.0)
    m.request("/v1/ask", "parallel", 503, 0.1, "not_enough_answers")
    for counter in (m.retries, m.fallbacks, m.probes, m.status_writes):
        counter.labels("timeout").inc()
    m.adapters.labels("failed").set(1)
    return generate_latest(m.registry)


def operator_page() -> bytes:
    m = OperatorMetrics()
    m.request("APPLY", BOARDROOM, 200)
    m.failed("api")
    m.events.labels("Boardroom").inc()
    m.board(("team", "executive"), [{"type": "Ready", "status": "True", "reason": "Ready"}])
    return generate_latest(m.registry)


def rows(page: bytes) -> list[str]:
    """A table of the page's metrics, as docs/reference/metrics.md has it."""
    found = ["| metric | type | labels | |", "|---|---|---|---|"]
    for family in text_string_to_metric_families(page.decode()):
        if family.name.startswith(_SKIPPED[0]) or family.name.endswith(_SKIPPED[1]):
            continue
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels if label != "le"}
        found.append(f"| `{name}` | {family.type} | {', '.join(sorted(labels))} | {family.documentation} |")
    return found
