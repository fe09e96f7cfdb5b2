"""Whatever a client sends, it gets one of LoRAX's statuses and the server goes on serving."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.simulator.simulation import serving

ROUTES = ("/", "/generate", "/generate_stream", "/invocations", "/v1/completions", "/v1/chat/completions", "/tokenize")
STATUSES = {200, 400, 413, 415, 422, 424, 429}

scalars = st.none() | st.booleans() | st.integers(-(2**33), 2**33) | st.floats(allow_nan=False) | st.text(max_size=8)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))
KEYWORDS = (
    "type",
    "properties",
    "required",
    "items",
    "enum",
    "anyOf",
    "allOf",
    "$ref",
    "pattern",
    "minimum",
    "minLength",
)
schemas = st.recursive(
    scalars | st.sampled_from(["object", "array", "string", "integer", "#", "^a{2}(b|c)+$"]),
    lambda inner: st.dictionaries(st.sampled_from(KEYWORDS), inner | st.lists(inner, max_size=2), max_size=4),
    max_leaves=8,
)
parameters = st.fixed_dictionaries(
    {"max_new_tokens": st.integers(1, 20)},
    optional={
        "adapter_id": st.text(max_size=8) | values,
        "adapter_source": st.sampled_from(["local", "hub", "s3", "pbase", "x"]),
        "stop": st.lists(st.text(max_size=2), max_size=5) | values,
        "temperature": scalars,
        "best_of": scalars,
        "truncate": scalars,
        "seed": scalars,
        "do_sample": scalars,
        "ignore_eos_token": scalars,
        "merged_adapters": values,
        "response_format": values | st.fixed_dictionaries({"type": st.just("json_object"), "schema": schemas}),
    },
)
bodies = values | st.fixed_dictionaries(
    {"inputs": st.text(max_size=20), "model": st.just(""), "prompt": st.text(max_size=20), "max_tokens": st.just(3)},
    optional={
        "parameters": parameters,
        "stream": scalars,
        "n": scalars,
        "messages": values | st.just([{"role": "user", "content": "x"}]),
        "response_format": values | st.fixed_dictionaries({"type": st.just("json_object"), "schema": schemas}),
    },
)


async def answered(route: str, content: bytes) -> tuple[int, int]:
    async with serving(abort_bugs=False) as lorax, asyncio.timeout(20):
        response = await lorax.post(route, content=content, headers={"content-type": "application/json"})
        return response.status_code, (await lorax.get("/health")).status_code


@pytest.mark.parametrize("route", ROUTES)
@given(body=bodies)
def test_any_json_is_answered_in_loraxs_way(route: str, body: object) -> None:
    status, health = asyncio.run(answered(route, json.dumps(body).encode()))
    assert (status in STATUSES, health) == (True, 200)


@given(content=st.binary(max_size=200))
def test_any_bytes_are_answered_in_loraxs_way(content: bytes) -> None:
    status, health = asyncio.run(answered("/generate", content))
    assert (status in STATUSES, health) == (True, 200)
