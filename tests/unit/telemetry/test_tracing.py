"""When spans are made, and that nothing of OpenTelemetry is there when they are not."""

import pytest

from boardroom.telemetry.span import Kind, TracingError
from boardroom.telemetry.tracing import OFF, tracer, wanted

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "mine"}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "True"}, False),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "false"}, True),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, False),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
    ],
)
def test_spans_are_made_where_there_is_somewhere_to_send_them(env: dict[str, str], expected: bool) -> None:
    assert wanted(env) is expected


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin", "give otlp or none"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "only http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "only http/protobuf"),
    ],
)
def test_what_we_can_not_do_is_refused_by_name_and_remedy(name: str, value: str, remedy: str) -> None:
    with pytest.raises(TracingError, match=f"{name}={value!r}: {remedy}"):
        wanted(ENDPOINT | {name: value})


def test_off_there_is_one_tracer_and_one_span_for_all() -> None:
    found = tracer({}, "service", {})
    with found.started("one", Kind.SERVER) as one, found.started("two", Kind.CLIENT) as two:
        assert one is two
    assert found is OFF
