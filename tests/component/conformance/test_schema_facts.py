"""How LoRAX answers to a JSON schema, one fact a test. The facts were recorded from an otherwise idle real router.

A refused schema ends a router that answers others (docs/lorax.md#prefill-abort), and a bound of length stops it for
minutes (docs/lorax.md#schema-compilation). The simulator alone is tested for those:
tests/unit/simulator/test_compiler.py.
"""

import json
from typing import Any

import pytest

from boardroom.coordinator.deliberation.voting import SCHEMA
from boardroom.engine.errors import InvalidRequest
from boardroom.engine.lorax.classify import classify
from boardroom.engine.lorax.driver import LoraxEngine
from component.conformance.server_under_test import Server
from tried.test_schemas import Plan


def formatted(schema: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_object", "schema": schema}, "max_new_tokens": 600}


def test_a_ballot_is_one(lorax: Server) -> None:
    said = lorax.generate("Vote.", details=True, **formatted(LoraxEngine.schema(SCHEMA))).json()
    assert said["details"]["finish_reason"] == "length" or json.loads(said["generated_text"]).keys() == {
        "position", "confidence", "rationale",
    }  # fmt: skip


def test_a_pydantic_model_reads_what_its_schema_made_once_it_is_in_the_subset(lorax: Server) -> None:
    schema = LoraxEngine.schema(Plan.model_json_schema())
    said = lorax.generate("Plan.", details=True, **formatted(schema)).json()
    if said["details"]["finish_reason"] != "length":
        assert Plan.model_validate_json(said["generated_text"])


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string", "format": "email"}, "Format email is not supported"),
        ({"not": {"type": "string"}}, "{'not': {'type': 'string'}}"),
        ({"enum": [["a"]]}, "Unsupported data type in enum"),
    ],
)
def test_alone_a_schema_that_the_library_refuses_is_a_424_and_no_retry_helps(
    lorax: Server, schema: Any, words: str
) -> None:
    response = lorax.generate(**formatted(schema))
    assert (response.status_code, response.json()["error_type"]) == (424, "generation")
    assert words in response.json()["error"]
    assert type(classify(response.status_code, response.content)) is InvalidRequest


def test_a_router_that_refused_one_alone_goes_on(lorax: Server) -> None:
    lorax.generate(**formatted({"type": "string", "format": "email"}))
    assert lorax.generate().status_code == 200
