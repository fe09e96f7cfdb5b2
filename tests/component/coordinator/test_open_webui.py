"""What Open WebUI sends to an OpenAI connection, and what it reads of the answers.

Open WebUI 0.12.4 itself, its page in a browser, was run against `boardroom serve` (2026-11-25): chats with the board
and with one agent. Its page offers tools in every chat, as native function calling is its default.

Read from its source (2026): routers/openai.py passes on model, messages, stream and what the model's parameters set,
adds stream_options to every stream, and takes its own fields (metadata, chat_id, session_id, features, ...) out
before; routers/tasks.py asks for titles, tags and follow-ups without streaming.
"""

from typing import Any

import httpx
import orjson
import pytest

from component.coordinator.standing_board import NAMES, Board, Standing, agent, served, standing
from component.engine.scripted_lorax import Call, ScriptedLorax

HEADERS = {
    "authorization": "Bearer none",
    "content-type": "application/json",
    "x-openwebui-user-name": "Ada",
    "x-openwebui-user-id": "1",
    "x-openwebui-user-email": "ada@example.com",
    "x-openwebui-user-role": "admin",
    "x-openwebui-chat-id": "5c9c6b0e",
}
TASK = (
    '### Task:\nGenerate a concise, 3-5 word title\n### Output:\nJSON format: { "title": "..." }\n<chat_history>\nx\n'
)
CHAT: dict[str, Any] = {
    "stream": True,
    "model": "executive/cfo",
    "messages": [
        {"role": "system", "content": "Answer in one sentence."},
        {"role": "user", "content": "Shall we hire?"},
        {"role": "assistant", "content": ""},  # it was stopped
        {"role": "user", "content": [{"type": "text", "text": "And now?"}]},
    ],
    "stream_options": {"include_usage": True},
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "get_current_timestamp",
                "description": "Get the current Unix timestamp in seconds.",
                "parameters": {"type": "object", "properties": {}},
            },
        }
    ],
}
PARAMETERS = {
    "temperature": 0.7,
    "top_p": 0.9,
    "max_tokens": 64,
    "frequency_penalty": 0,
    "presence_penalty": 0.0,
    "seed": 42,
    "stop": ["###"],
    "logit_bias": {},
}


async def say(call: Call) -> None:
    if not call.body.get("stream"):
        await call.say("We can.")
        return
    await call.begin(200, "text/event-stream")
    for text, reason in (("We ", None), ("can.", "stop")):
        choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": reason}
        usage = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9} if reason else None
        chunk = {"id": "null", "object": "chat.completion.chunk", "choices": [choice], "usage": usage}
        await call.chunk(b"data:" + orjson.dumps(chunk) + b"\n\n")
    await call.chunk(b"data: [DONE]\n\n", last=True)


async def post(stand: Standing, body: dict[str, Any]) -> httpx.Response:
    return (await stand.client.post("/v1/chat/completions", json=body, headers=HEADERS)).raise_for_status()


async def test_the_connection_is_checked_and_the_models_are_listed(board: Board) -> None:
    async with served(ScriptedLorax(say)) as url, standing(board, url) as stand:
        found = (await stand.client.get("/v1/models", headers=HEADERS)).json()
    assert [model["id"] for model in found["data"]] == ["executive", *(f"executive/{name}" for name in NAMES)]


@pytest.mark.parametrize("parameters", [{}, PARAMETERS, {"max_completion_tokens": 64}])
async def test_a_chat_streams_text_usage_and_its_end(board: Board, parameters: dict[str, Any]) -> None:
    board.write(agent("CFO"))
    async with served(ScriptedLorax(say)) as url, standing(board, url) as stand:
        response = await post(stand, CHAT | parameters)
    events = [line.removeprefix("data: ") for line in response.text.split("\n") if line.startswith("data: ")]
    assert events.pop() == "[DONE]"
    chunks = [orjson.loads(event) for event in events]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert "".join(delta.get("content", "") for delta in deltas) == "We can."
    assert [chunk["usage"]["completion_tokens"] for chunk in chunks if chunk.get("usage")] == [2]


async def test_a_chat_with_the_whole_board_streams_the_reply(board: Board) -> None:
    board.write(agent("CEO"), agent("CFO"))
    async with served(ScriptedLorax(say)) as url, standing(board, url) as stand:
        response = await post(stand, CHAT | {"model": "executive"})
    text = "".join(
        choice["delta"].get("content", "")
        for line in response.text.split("\n")
        if line.startswith("data: {")
        for choice in orjson.loads(line[6:])["choices"]
    )
    assert text == "CEO: We can.\n\nCFO: We can."


@pytest.mark.parametrize("bound", [{"max_completion_tokens": 1000}, {"max_tokens": 1000}, {}])
async def test_titles_tags_and_follow_ups_are_whole_completions(board: Board, bound: dict[str, int]) -> None:
    board.write(agent("CFO"))
    task = {"model": "executive/cfo", "messages": [{"role": "user", "content": TASK}], "stream": False}
    async with served(ScriptedLorax(say)) as url, standing(board, url) as stand:
        found = (await post(stand, task | bound)).json()
    assert found["choices"][0]["message"]["content"] == "We can."
