"""The metrics page as JSON."""

from boardroom.simulator.router.metrics_json import families

PAGE = """\
# TYPE lorax_request_count counter
lorax_request_count 3
# TYPE lorax_queue_size gauge
lorax_queue_size 0
# TYPE lorax_batch_inference_duration histogram
lorax_batch_inference_duration_bucket{method="decode",le="1"} 2
lorax_batch_inference_duration_sum 1.5
lorax_batch_inference_duration_count 2
# TYPE lorax_empty counter
"""


def test_each_family_has_its_type_and_samples() -> None:
    assert families(PAGE) == {
        "lorax_request_count": {"type": "counter", "data": [{"key": "count", "value": 3.0}]},
        "lorax_queue_size": {"type": "gauge", "data": [{"key": "", "value": 0.0}]},
        "lorax_batch_inference_duration": {
            "type": "histogram",
            "data": [
                {"key": 'lorax_batch_inference_duration_bucket{method="decode",le="1"}', "value": 2.0},
                {"key": "sum", "value": 1.5},
                {"key": "count", "value": 2.0},
            ],
        },
        "lorax_empty": {"type": "counter", "data": []},
    }


def test_an_empty_page_has_no_families() -> None:
    assert families("") == {}
