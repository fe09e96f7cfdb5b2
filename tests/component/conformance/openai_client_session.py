"""Calls of the real openai client: a call as JSON on each line of stdin, its outcome on a line of stdout."""

import asyncio
import datetime as dt
import json
import sys
from typing import Any, Literal

from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel, Field


class Step(BaseModel):
    title: str
    hours: int
    done: bool = False


class Plan(BaseModel):
    """As people write models for `parse`."""

    stance: Literal["support", "oppose"]
    summary: str = Field(description="Two sentences.")
    condition: str | None = None
    steps: list[Step]
    due: dt.date


def create(client: Any, how: str) -> Any:
    return client.chat.completions.create if how.startswith("chat") else client.completions.create


async def asynchronous(url: str, how: str, keywords: dict[str, Any]) -> Any:
    async with AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=30) as client:
        answer = await create(client, how)(**keywords)
        if keywords.get("stream"):
            return [chunk.model_dump(exclude_unset=True) async for chunk in answer]
        return answer.model_dump(exclude_unset=True)


def synchronous(url: str, how: str, keywords: dict[str, Any]) -> Any:
    with OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=keywords.pop("timeout", 30)) as client:
        if how == "models":
            return client.models.list().model_dump()
        if how == "parse":
            answer = client.chat.completions.parse(response_format=Plan, **keywords)
            return answer.choices[0].message.parsed.model_dump(mode="json")
        if how == "embeddings":
            return client.embeddings.create(**keywords).model_dump()
        answer = create(client, how)(**keywords)
        if keywords.get("stream"):
            return [chunk.model_dump(exclude_unset=True) for chunk in answer]
        return answer.model_dump(exclude_unset=True)


def make(url: str, how: str, keywords: dict[str, Any]) -> Any:
    if how.endswith("_async"):
        return asyncio.run(asynchronous(url, how, keywords))
    return synchronous(url, how, keywords)


def main() -> None:
    for line in sys.stdin:
        call = json.loads(line)
        try:
            result = make(call["url"], call["how"], call["keywords"])
        except Exception as error:  # noqa: BLE001 (whatever the client raises is the outcome)
            said = getattr(error, "body", None) or error  # the client keeps LoRAX's own text out of its message
            result = [type(error).__name__, getattr(error, "status_code", None), str(said)]
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
