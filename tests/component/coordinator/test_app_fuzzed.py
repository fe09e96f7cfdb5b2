"""Whatever is posted to /v1/ask gets an answer or a refusal of ours; never a 5xx but the named 503."""

from typing import Any

import httpx
import orjson
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from boardroom.api.ask import AskRequest, ErrorResponse
from boardroom.coordinator.coordinator import Coordinator
from boardroom.coordinator.http.app import create_app
from boardroom.coordinator.main import Options, standalone
from component.coordinator.standing_board import ROLES, Board, agent

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
PLAUSIBLE = {
    "user_input": st.text(min_size=1, max_size=30),
    "agents": st.lists(st.sampled_from(["ceo", "CFO", "nobody", ""]), max_size=3),
    "agent_id": st.sampled_from(["ceo", "nobody"]),
    "domain": st.sampled_from(["strategy", "sports"]),
    "conv_id": st.text(max_size=10),
    "coordination_mode": st.sampled_from(
        ["parallel", "sequential", "hierarchical", "collaborative", "consensus", "duel"]
    ),
    "rounds": st.integers(-1, 9),
    "use_lorax": st.booleans(),
    "parameters": st.fixed_dictionaries({}, optional={"max_new_tokens": st.integers(-1, 9), "top_p": st.floats()}),
    "timeout": st.floats(-1, 1),
    "min_successful": st.integers(-1, 9),
    "stream": st.booleans(),
    "on_error": st.sampled_from(["fail", "skip", "panic"]),
    "max_concurrent": st.integers(-1, 9),
}
assert PLAUSIBLE.keys() == AskRequest.model_fields.keys()
BODIES = st.fixed_dictionaries({}, optional={k: v | JSON for k, v in PLAUSIBLE.items()}) | JSON


def encoded(body: Any) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # an integer beyond 64 bits, or a lone surrogate
        return repr(body).encode("utf-8", "surrogatepass")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=300)
@given(BODIES.map(encoded) | st.binary(max_size=60))
@example(b'{"user_input": "x", "timeout": NaN}')
@example(b'{"user_input": "x", "timeout": 1e999}')
@example(b'{"user_input": "x", "parameters": {"seed": 99999999999999999999999}}')
@example(b'{"user_input": "x", "user_input": "y"}')
@example(b"\xff")
async def test_any_body_gets_an_answer_or_a_refusal_of_ours(board: Board, body: bytes) -> None:
    app = create_app(without_lorax(board))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://board") as client:
        response = await client.post("/v1/ask", content=body, headers={"content-type": "application/json"})
    assert response.status_code in {400, 404, 422, 503}
    error = ErrorResponse.model_validate_json(response.content).error
    if response.status_code == 503:
        assert error.members
    assert error.message


def without_lorax(board: Board) -> Coordinator:
    board.write(*(agent(role, domains=["strategy"]) for role in ROLES))
    return standalone(Options(file=board.file), board.file)
