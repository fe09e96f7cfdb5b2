"""LoRAX's metrics page."""

from math import inf

import pytest

from boardroom.engine.lorax.metrics import parse
from boardroom.engine.metrics import EngineMetrics, Histogram

PAGE = """
# TYPE lorax_request_count counter
lorax_request_count 12
# TYPE lorax_request_failure counter
lorax_request_failure{err="generation"} 2
lorax_request_failure{err="overloaded"} 1
# TYPE lorax_queue_length gauge
lorax_queue_length 3
# TYPE lorax_request_duration histogram
lorax_request_duration_bucket{le="0.1"} 4
lorax_request_duration_bucket{le="1"} 9
lorax_request_duration_bucket{le="+Inf"} 9
lorax_request_duration_sum 4.5
lorax_request_duration_count 9
# TYPE lorax_request_generated_tokens histogram
lorax_request_generated_tokens_bucket{le="1"} 9
lorax_request_duration_of_something_else 8
"""


def test_a_page_is_reduced_to_what_the_status_needs() -> None:
    assert parse(PAGE) == EngineMetrics(
        requests=12,
        failures=3,
        queue_length=3,
        duration=Histogram(buckets=((0.1, 4.0), (1.0, 9.0), (inf, 9.0)), total=4.5, count=9.0),
    )


def test_series_that_were_never_used_count_as_zero() -> None:
    assert parse("") == EngineMetrics()


def test_what_is_no_prometheus_text_is_refused() -> None:
    with pytest.raises(ValueError, match="could not convert"):
        parse("lorax_request_count many\n")
