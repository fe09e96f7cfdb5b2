"""Both clients against a running coordinator with a simulated LoRAX, and against what is none."""

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from boardroom.api.ask import AskRequest
from boardroom.cli.processes import free_port
from boardroom.client import AskOptions, AsyncClient, BoardroomError, Client, CoordinationMode, Event, UnreachableError
from component.coordinator.standing_board import (
    NAMES,
    ROLES,
    Board,
    Standing,
    agent,
    served,
    simulated_lorax,
    standing,
)
from component.engine.scripted_lorax import Call, ScriptedLorax, beside_probes, delta

Use = Callable[..., Any]


@pytest.fixture
def board(tmp_path: Path) -> Board:
    found = Board(tmp_path)
    found.make_adapters(*ROLES)
    found.write(*(agent(role, domains=["strategy"] if role in {"CEO", "CTO"} else []) for role in ROLES))
    return found


async def blocking(url: str, method: str, *args: Any, **keywords: Any) -> Any:
    def call() -> Any:
        with Client(url, trust_env=False) as client:
            return getattr(client, method)(*args, **keywords)

    return await asyncio.to_thread(call)


async def awaiting(url: str, method: str, *args: Any, **keywords: Any) -> Any:
    async with AsyncClient(url, trust_env=False) as client:
        return await getattr(client, method)(*args, **keywords)


BOTH = pytest.mark.parametrize("use", [blocking, awaiting])


def base(stand: Standing) -> str:
    return str(stand.client.base_url)


@BOTH
async def test_a_question_is_answered(board: Board, use: Use) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        answer = await use(base(stand), "ask", "And now?", agents=["CFO", "ceo"], parameters={"max_new_tokens": 5})
    assert answer.agents_involved == ["cfo", "ceo"]
    assert (answer.used_lorax, answer.batch.size) == (True, 2)
    assert {a.usage.completion_tokens for a in answer.answers} == {5}


@BOTH
async def test_the_seeds_calls_have_the_seeds_results(board: Board, use: Use) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        result = await use(
            base(stand),
            "handle_multiagent_request",
            agent_id="cto",
            domain="strategy",
            user_input="Analyze Q2 performance",
            conv_id="conv_123",
            coordination_mode=CoordinationMode.PARALLEL,
        )
        status = await use(base(stand), "get_boardroom_status")
    assert (result["used_lorax"], result["conv_id"], result["agents_involved"]) == (True, "conv_123", ["cto", "ceo"])
    assert result["execution_time"] > 0
    lorax = status["system_health"]["lorax"]
    assert (lorax["running"], lorax["total_adapters"], lorax["loaded_adapters"]) == (True, 5, 5)


@BOTH
async def test_a_conversation_is_read_and_forgotten(board: Board, use: Use) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        answer = await use(base(stand), "ask", "And now?", agents=["cfo"], conv_id="a/b?")
        found = await use(base(stand), "conversation", "a/b?")
        await use(base(stand), "forget", "a/b?")
        with pytest.raises(BoardroomError) as gone:
            await use(base(stand), "conversation", "a/b?")
    [member] = found.members
    assert [(turn.asked, turn.answered) for turn in member.turns] == [("And now?", answer.answers[0].text)]
    assert (gone.value.status, gone.value.code) == (404, "unknown_conversation")


@BOTH
async def test_agents_and_health_are_told(board: Board, use: Use) -> None:
    async with standing(board, None) as stand:
        agents = await use(base(stand), "agents")
        health = await use(base(stand), "health")
    assert [a["agent"] for a in agents["agents"]] == NAMES
    assert health["system_health"]["lorax"]["running"] is False


@BOTH
@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ({"agents": ["janitor"]}, (404, "unknown_agent", "agents")),
        ({"coordination_mode": "duel"}, (422, "invalid_request", "coordination_mode")),
        ({"timeout": -1}, (422, "invalid_request", "timeout")),
    ],
)
async def test_a_refusal_says_what_is_wrong_and_where(
    board: Board, use: Use, options: dict[str, Any], refusal: tuple[int, str, str]
) -> None:
    async with standing(board, None) as stand:
        with pytest.raises(BoardroomError) as raised:
            await use(base(stand), "ask", "And now?", **options)
    error = raised.value
    assert (error.status, error.code, error.field) == refusal
    assert error.request_id


@BOTH
async def test_a_board_that_can_not_answer_says_why_of_each_member(board: Board, use: Use) -> None:
    async with standing(board, None) as stand:
        with pytest.raises(BoardroomError) as raised:
            await use(base(stand), "ask", "And now?")
    assert (raised.value.status, raised.value.code) == (503, "not_enough_answers")
    assert [m.agent for m in raised.value.members] == NAMES
    assert "runs without LoRAX" in raised.value.members[0].reason


@BOTH
@pytest.mark.parametrize(
    ("method", "asked", "options"),
    [
        ("ask", "caf\udce9", {}),
        ("ask", "And now?", {"parameters": {"temperature": float("nan")}}),
        ("ask", "And now?", {"agents": {"ceo"}}),
        ("conversation", "caf\udce9", {}),
    ],
)
async def test_what_can_not_be_sent_is_refused_by_the_client(
    use: Use, method: str, asked: str, options: dict[str, Any]
) -> None:
    """A lone surrogate is what the shell makes of an argument in another encoding."""
    with pytest.raises(BoardroomError, match="can't be sent") as raised:
        await use("http://127.0.0.1:9", method, asked, **options)
    assert (raised.value.code, raised.value.status) == ("invalid_request", None)


@BOTH
async def test_nobody_there_is_unreachable(use: Use) -> None:
    with pytest.raises(UnreachableError) as raised:
        await use(f"http://127.0.0.1:{free_port()}", "health")
    assert (raised.value.code, raised.value.status) == ("unreachable", None)


async def hang(_scope: Any, receive: Any, _send: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def test_a_server_that_hangs_is_left_in_time() -> None:
    async with served(hang) as url, AsyncClient(url, timeout=0.2, trust_env=False) as client:
        with pytest.raises(UnreachableError) as raised:
            await client.health()
    assert raised.value.code == "timeout"


@BOTH
@pytest.mark.parametrize("status", [200, 502])
@pytest.mark.parametrize("body", [b"<html>", b"[]"])
async def test_what_is_no_coordinator_is_said_so(use: Use, status: int, body: bytes) -> None:
    async def other(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    async with served(other) as url:
        for method in (("health",), ("ask", "And now?")):
            with pytest.raises(BoardroomError) as raised:
                await use(url, *method)
            assert (raised.value.code, raised.value.status) == ("bad_response", status)


async def test_a_token_goes_along() -> None:
    seen: dict[bytes, bytes] = {}

    async def look(scope: Any, _receive: Any, send: Any) -> None:
        seen.update(scope["headers"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async with served(look) as url, AsyncClient(url, token="abc", trust_env=False) as client:
        await client.health()
    assert seen[b"authorization"] == b"Bearer abc"


def test_every_field_of_a_question_can_be_given() -> None:
    assert get_type_hints(AskOptions).keys() | {"user_input", "stream"} == AskRequest.model_fields.keys()


def test_both_clients_have_the_same_methods() -> None:
    def methods(kind: type) -> dict[str, list[str]]:
        found = inspect.getmembers(kind, inspect.isfunction)
        return {name: list(inspect.signature(f).parameters) for name, f in found if not name.startswith("_")}

    blocking_, awaiting_ = methods(Client), methods(AsyncClient)
    assert blocking_.pop("close") == awaiting_.pop("aclose")
    assert blocking_ == awaiting_


async def test_a_token_file_is_read_again_as_it_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    monkeypatch.setattr("boardroom.client.bearer.TOKEN_SECONDS", 0.0)
    sent: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        sent.append(dict(scope["headers"])[b"authorization"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})

    async with served(app) as url, AsyncClient(url, token_path=file, trust_env=False) as client:
        await client.agents()
        file.write_text("second\n")
        await client.agents()
    assert sent == [b"Bearer first", b"Bearer second"]


def test_a_token_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with Client("http://127.0.0.1:9", token_path=tmp_path / "absent") as client:
        with pytest.raises(BoardroomError, match="absent can't be read") as caught:
            client.agents()
        assert caught.value.code == "no_token"


def streamed(url: str, question: str, **options: Any) -> list[Event]:
    with Client(url, trust_env=False) as client, client.stream(question, **options) as events:
        return list(events)


async def blocking_stream(url: str, question: str, **options: Any) -> list[Event]:
    return await asyncio.to_thread(streamed, url, question, **options)


async def awaiting_stream(url: str, question: str, **options: Any) -> list[Event]:
    async with AsyncClient(url, trust_env=False) as client, client.stream(question, **options) as events:
        return [event async for event in events]


STREAMS = pytest.mark.parametrize("stream", [blocking_stream, awaiting_stream])


@STREAMS
async def test_a_stream_ends_with_the_answer_that_its_deltas_make(board: Board, stream: Use) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        events = await stream(base(stand), "And now?", agents=["cfo", "ceo"])
    answer = events[-1].answer
    assert (events[-1].name, answer.agents_involved) == ("result", ["cfo", "ceo"])
    for one in answer.answers:
        assert "".join(e.text for e in events if e.agent == one.agent) == one.text
    assert {e.role for e in events if e.name == "member.started"} == {"CFO", "CEO"}


@STREAMS
async def test_what_unicode_takes_for_the_end_of_a_line_ends_no_event(board: Board, stream: Use) -> None:
    said = "one\u2028two\u2029three\x85four\x0bfive\r\nsix"

    @beside_probes
    async def say_it(call: Call) -> None:
        await call.begin(200, "text/event-stream")
        await call.chunk(delta(said, "stop"), last=True)

    async with served(ScriptedLorax(say_it)) as url, standing(board, url) as stand:
        events = await stream(base(stand), "And now?", agents=["cfo"])
    assert ("".join(e.text for e in events), events[-1].answer.answers[0].text) == (said, said)


@STREAMS
async def test_a_stream_raises_what_the_coordinator_refuses(board: Board, stream: Use) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        with pytest.raises(BoardroomError) as refused:
            await stream(base(stand), "And now?", agents=["janitor"])
    assert (refused.value.status, refused.value.code, refused.value.field) == (404, "unknown_agent", "agents")


@STREAMS
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (
            b'event: error\ndata: {"error": {"code": "not_enough_answers", "message": "nobody"}}\n\n',
            "not_enough_answers",
        ),
        (b'event: member.started\ndata: {"agent": "ceo"}\n\n', "bad_response"),
        (b"event: result\ndata: {}\n\n", "bad_response"),
    ],
)
async def test_a_stream_that_breaks_off_is_an_error(stream: Use, body: bytes, code: str) -> None:
    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": body})

    async with served(answer) as url:
        with pytest.raises(BoardroomError) as raised:
            await stream(url, "And now?")
    assert raised.value.code == code


@STREAMS
async def test_a_stream_from_nowhere_is_unreachable(stream: Use) -> None:
    with pytest.raises(UnreachableError):
        await stream(f"http://127.0.0.1:{free_port()}", "And now?")
