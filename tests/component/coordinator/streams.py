"""What a board's streams hold: /v1/ask's events, and the chunks of a completion."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

from component.coordinator.standing_board import Standing

Event = tuple[str, dict[str, Any]]
ASKED = [{"role": "user", "content": "And now?"}]


async def events(stand: Standing, **body: Any) -> list[Event]:
    async with stand.client.stream("POST", "/v1/ask", json={"user_input": "And now?", "stream": True} | body) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        return [event async for event in read(answer)]


async def read(answer: httpx.Response) -> AsyncIterator[Event]:
    name = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def said(found: list[Event], agent: str, round_: int = 1) -> str:
    return "".join(
        data["text"]
        for name, data in found
        if name == "member.delta" and (data["agent"], data["round"]) == (agent, round_)
    )


def named(found: list[Event], name: str) -> list[dict[str, Any]]:
    return [data for event, data in found if event == name]


async def chunks(stand: Standing, **body: Any) -> list[dict[str, Any] | str]:
    """The events of a streamed completion."""
    fields = {"model": "executive", "messages": ASKED, "stream": True} | body
    found: list[dict[str, Any] | str] = []
    async with stand.client.stream("POST", "/v1/chat/completions", json=fields) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                data = line.removeprefix("data: ")
                found.append(data if data == "[DONE]" else json.loads(data))
    return found


def content(found: list[Any], index: int = 0) -> str:
    return "".join(
        choice["delta"].get("content", "")
        for chunk in found
        if isinstance(chunk, dict)
        for choice in chunk.get("choices", ())
        if choice["index"] == index
    )
