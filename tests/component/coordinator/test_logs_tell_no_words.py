"""No log line has a word of a question, a system prompt or an answer: in every mode, at every door, in failures."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from boardroom.api.ask import CoordinationMode
from boardroom.coordinator.coordinator import Coordinator
from boardroom.telemetry.logs import JsonFormatter
from component.coordinator.standing_board import ROLES, Board, agent, served, standing, until
from component.engine.scripted_lorax import Call, ScriptedLorax, beside_probes

QUESTION, SYSTEM, ANSWER = "marzipan question", "nougat prompt", "truffle answer"
WORDS = ("marzipan", "nougat", "truffle")
PARENT = f"00-{'a' * 32}-{'b' * 16}-01"


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """All that a coordinator would write, at the level that says most."""
    output, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(output)
    handler.setFormatter(JsonFormatter(quote_exceptions=False))
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield output
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def lines(output: io.StringIO, *messages: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in output.getvalue().splitlines()]
    return [line for line in found if line["message"] in messages]


def write(board: Board) -> None:
    board.write(*(agent(role, systemPrompt=SYSTEM) for role in ROLES))


async def answer(call: Call) -> None:
    """Also as a stream, and as a vote."""
    if not call.body.get("stream"):
        await call.say(ANSWER)
        return
    await call.begin(200, "text/event-stream")
    for choice in ({"delta": {"content": ANSWER}}, {"delta": {}, "finish_reason": "stop"}):
        await call.chunk(b"data: " + json.dumps({"choices": [{"index": 0} | choice]}).encode() + b"\n\n")
    await call.chunk(b"data: [DONE]\n\n", last=True)


async def quote(call: Call) -> None:
    """Fail with the prompt in the error's text, as engines may."""
    await (call.say("yes") if call.is_probe else call.fail(422, f"too long: {call.raw.decode()}", "validation"))


def chat(**fields: Any) -> dict[str, Any]:
    return {"model": "executive", "messages": [{"role": "user", "content": QUESTION}]} | fields


@pytest.mark.parametrize("script", [answer, quote], ids=["answered", "failed"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_in_no_mode_and_at_no_door(board: Board, script: Any, stream: bool) -> None:
    write(board)
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/v1/ask", {"user_input": QUESTION, "coordination_mode": mode}) for mode in CoordinationMode
    ]
    bodies += [("/v1/ask", {"user_input": QUESTION, "conv_id": "c1"}), ("/v1/ask", {"user_input": QUESTION, "x": 1})]
    bodies += [("/v1/chat/completions", chat()), ("/v1/chat/completions", chat(model="executive/ceo", n=2))]
    bodies += [("/v1/chat/completions", chat(tools=[QUESTION])), ("/v1/chat/completions", chat(tool_choice=QUESTION))]
    with logged() as output:
        async with served(ScriptedLorax(script)) as url, standing(board, url) as stand:
            await stand.wait_ready(*ROLES)
            for path, body in bodies:
                await stand.client.post(path, json=body | ({"stream": True} if stream else {}))
            await until(lambda: len(lines(output, "answered", "refused", "failed")) == len(bodies))
    said = output.getvalue()
    assert [word for word in WORDS if word in said] == []


async def test_not_by_a_fault_of_ours_that_quotes_them(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    write(board)

    async def broken(self: Coordinator, request: Any, *_: Any, **__: Any) -> None:
        raise ValueError(f"could not answer {request.user_input}")

    monkeypatch.setattr(Coordinator, "ask", broken)
    with logged() as output:
        async with served(ScriptedLorax(answer)) as url, standing(board, url) as stand:
            response = await stand.ask(user_input=QUESTION)
    assert (response.status_code, "marzipan" in output.getvalue()) == (500, False)
    (fault,) = lines(output, "internal error")
    (told,) = lines(output, "failed")
    assert "builtins.ValueError" in fault["exception"]
    assert (fault["request_id"], told["code"]) == (told["request_id"], "internal")


async def test_a_question_has_one_line_with_what_became_of_it_and_its_trace(board: Board) -> None:
    with logged() as output:
        async with served(ScriptedLorax(answer)) as url, standing(board, url) as stand:
            await stand.wait_ready(*ROLES)
            headers = {"traceparent": PARENT, "x-request-id": "r1"}
            await stand.client.post("/v1/ask", json={"user_input": QUESTION}, headers=headers)
            await stand.client.post("/v1/ask", json={"user_input": ""}, headers=headers)
            await stand.client.get("/v1/agents")
    found = [line for line in lines(output, "answered", "refused", "failed", "left") if line.pop("seconds") >= 0]
    expected = {"request_id": "r1", "caller": "", "route": "/v1/ask", "trace_id": "a" * 32, "span_id": "b" * 16}
    assert [line["level"] for line in found] == ["info", "info"]
    for line in found:
        for name in ("time", "level", "logger"):
            del line[name]
    whole = {"mode": "parallel", "status": 200, "members": 5, "answered": 5, "batch": 5, "used_lorax": True}
    assert found == [
        expected | whole | {"message": "answered"},
        expected | {"mode": "", "status": 422, "code": "invalid_request", "message": "refused"},
    ]


async def test_a_caller_that_leaves_has_its_line_too(board: Board) -> None:
    asked = asyncio.Event()

    @beside_probes
    async def hang(call: Call) -> None:
        await call.begin(200, "text/event-stream")
        asked.set()
        await call.client_leaves()

    with logged() as output:
        async with served(ScriptedLorax(hang)) as url, standing(board, url) as stand:
            await stand.wait_ready(*ROLES)
            body = {"user_input": QUESTION, "stream": True}
            async with stand.client.stream("POST", "/v1/ask", json=body):
                await asked.wait()
            (left,) = await until(lambda: lines(output, "left"))
    assert (left["status"], left["code"], left["mode"]) == (499, "client_closed", "parallel")
