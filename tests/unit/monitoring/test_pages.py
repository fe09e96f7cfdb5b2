"""The pages that Prometheus scrapes."""

from prometheus_client.parser import text_string_to_metric_families

from boardroom.controller.serving.metrics import Metrics as OperatorMetrics
from unit.monitoring.registries import LORAX, LORAX_HISTOGRAMS
from unit.simulator.simulation import serving


async def test_loraxs_page_has_no_metric_that_is_not_known_here() -> None:
    async with serving() as lorax:
        await lorax.post("/generate", json={"inputs": "Why?", "parameters": {"max_new_tokens": 3}})
        await lorax.post("/generate", json={"inputs": ""})
        page = (await lorax.get("/metrics")).text
    found = {family.name: family.type for family in text_string_to_metric_families(page)}
    assert {name for name, kind in found.items() if kind == "histogram"} <= set(LORAX_HISTOGRAMS)
    assert {name for name, kind in found.items() if kind in ("counter", "gauge")} <= set(LORAX)
    assert found["lorax_request_duration"] == "histogram"


def test_a_boards_conditions_are_shown_as_they_are_now_and_not_when_it_is_gone() -> None:
    metrics = OperatorMetrics()
    name, key = "boardroom_operator_board_condition", ("team", "executive")

    def shown() -> dict[tuple[str, str, str], float]:
        samples = [s for family in metrics.registry.collect() for s in family.samples if s.name == name]
        return {(s.labels["condition"], s.labels["status"], s.labels["reason"]): s.value for s in samples}

    pending = {"type": "LoraxReady", "status": "False", "reason": "InsufficientGpu"}
    metrics.board(key, [{"type": "Ready", "status": "False", "reason": "LoraxInsufficientGpu"}, pending])
    assert set(shown()) == {("Ready", "False", "LoraxInsufficientGpu"), ("LoraxReady", "False", "InsufficientGpu")}
    other = {"type": "LatencyHigh", "status": "True", "reason": "Slow"}
    metrics.board(key, [{"type": "Ready", "status": "True", "reason": "Ready"}, other])
    assert shown() == {("Ready", "True", "Ready"): 1}
    metrics.board(key, ())
    assert shown() == {}
