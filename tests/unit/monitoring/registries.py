"""Every metric that there is to be scraped: ours from the registries themselves, LoRAX's from what is known of it."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry

from boardroom.controller.serving.metrics import Metrics as OperatorMetrics
from boardroom.coordinator.metrics import Metrics as CoordinatorMetrics

LORAX = {
    "lorax_request_count": (),
    "lorax_request_success": (),
    "lorax_request_failure": ("err",),
    "lorax_queue_length": (),
    "lorax_batch_current_size": (),
    "lorax_batch_current_max_tokens": (),
    "lorax_batch_inference_count": ("method",),
    "lorax_batch_inference_success": ("method",),
    "lorax_batch_inference_failure": ("method",),
    "lorax_batch_concat": ("reason",),
}
LORAX_HISTOGRAMS = {
    "lorax_request_duration": (),
    "lorax_request_validation_duration": (),
    "lorax_request_queue_duration": (),
    "lorax_request_inference_duration": (),
    "lorax_request_mean_time_per_token_duration": (),
    "lorax_batch_inference_duration": ("method",),
    "lorax_request_input_length": (),
    "lorax_request_generated_tokens": (),
    "lorax_request_max_new_tokens": (),
    "lorax_batch_next_size": (),
}
"""As of the commit that the simulator follows; its own page is held against this."""
DCGM = {"DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE"}


def coordinator() -> CollectorRegistry:
    return CoordinatorMetrics().registry


def operator() -> CollectorRegistry:
    return OperatorMetrics().registry


def series(registry: CollectorRegistry) -> set[str]:
    """The names by which its metrics are queried."""
    found: set[str] = set()
    for family in registry.collect():
        found |= set(names(family.name, family.type))
    return found


def names(family: str, kind: str) -> Iterator[str]:
    if kind == "histogram":
        yield from (f"{family}_bucket", f"{family}_sum", f"{family}_count")
    else:
        yield f"{family}_total" if kind == "counter" else family


def known() -> set[str]:
    lorax = set(LORAX) | {name for family in LORAX_HISTOGRAMS for name in names(family, "histogram")}
    return series(coordinator()) | series(operator()) | lorax | DCGM
