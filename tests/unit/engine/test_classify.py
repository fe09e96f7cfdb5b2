"""Each of LoRAX's failures becomes one of our errors (docs/lorax.md#errors-by-text)."""

import orjson
import pytest

from boardroom.engine.errors import (
    MAX_CAUSE_CHARS,
    AdapterFailed,
    AdapterFault,
    BadResponse,
    EngineError,
    GenerationFailed,
    InvalidRequest,
    Overloaded,
    TemplateFailed,
    Unhealthy,
    one_line,
)
from boardroom.engine.lorax.classify import classify

PREFIX = "Request failed during generation: Server error: "


def refusal(error: str, error_type: str) -> bytes:
    return orjson.dumps({"error": error, "error_type": error_type})


@pytest.mark.parametrize(
    ("status", "body", "expected", "retryable"),
    [
        (429, refusal("Model is overloaded", "overloaded"), Overloaded, False),
        (424, refusal(PREFIX + "CUDA error", "generation"), GenerationFailed, True),
        (422, refusal("Input validation error: too long", "validation"), InvalidRequest, False),
        (424, refusal(PREFIX + "Format email is not supported by Outlines", "generation"), InvalidRequest, False),
        (424, refusal(PREFIX + "'type' must be a string", "generation"), InvalidRequest, False),
        (422, refusal("Template error: template not found", "template_error"), TemplateFailed, False),
        (422, b"Failed to deserialize the JSON body", InvalidRequest, False),
        (400, b"Failed to parse the request body as JSON", InvalidRequest, False),
        (413, b"length limit exceeded", InvalidRequest, False),
        (415, b"Expected request with `Content-Type: application/json`", InvalidRequest, False),
        (500, refusal("Incomplete generation", "incomplete_generation"), GenerationFailed, True),
        (500, b"<html>oops</html>", BadResponse, True),
        (503, refusal("unhealthy", "healthcheck"), Unhealthy, False),
        (302, b"", BadResponse, True),
        (404, b"", BadResponse, True),
    ],
)
def test_a_refusal_is_classified_by_status_and_text(
    status: int, body: bytes, expected: type[EngineError], retryable: bool
) -> None:
    error = classify(status, body)
    assert (type(error), error.retryable) == (expected, retryable)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("No local weights found in /models/x with extension .safetensors", AdapterFault.MISSING),
        ("No valid adapter config file found: tried None and None", AdapterFault.MISSING),
        ("Adapter '/models/x' is not compatible with model 'm'. Use --model-id 'n'", AdapterFault.INCOMPATIBLE),
        ("Adapter /models/x is larger than adapter memory reservation: 9 > 1", AdapterFault.TOO_LARGE),
        ("Memory reserved for adapters is 0. Please set one.", AdapterFault.REFUSED),
        ("This model does not support adapter loading.", AdapterFault.REFUSED),
        ("This model does not support dynamic adapter loading. Please initialize a new one", AdapterFault.REFUSED),
        ("Invalid source 'x' when downloading adapter", AdapterFault.REFUSED),
        ("Invalid source 'x' when loading adapter '/models/x'", AdapterFault.REFUSED),
    ],
)
def test_the_text_distinguishes_an_adapter_failure_from_a_failed_forward_pass(text: str, fault: AdapterFault) -> None:
    error = classify(424, refusal(PREFIX + text, "generation"))
    assert isinstance(error, AdapterFailed)
    assert (error.fault, str(error), error.retryable) == (fault, PREFIX + text, False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\ntwo\x00\x1b[31m", "one two [31m"),
        ("x" * 5000, "x" * (MAX_CAUSE_CHARS - 1) + "…"),
        ("\u202eevil", "evil"),
    ],
)
def test_a_foreign_text_becomes_one_bounded_line(text: str, expected: str) -> None:
    assert one_line(text) == expected
