"""Calls of the real lorax-client: a call as JSON on each line of stdin, its outcome on a line of stdout."""

import asyncio
import json
import sys
from typing import Any

from lorax import AsyncClient, Client


def outcome(answer: Any) -> dict[str, Any]:
    details = answer.details
    if details is None:
        return {"text": answer.generated_text}
    return {
        "text": answer.generated_text,
        "finish_reason": details.finish_reason.value,
        "prompt_tokens": details.prompt_tokens,
        "generated_tokens": details.generated_tokens,
        "tokens": [token.text for token in details.tokens],
    }


def streamed(events: list[Any]) -> dict[str, Any]:
    return {
        "tokens": [event.token.text for event in events if not event.token.special],
        "text": events[-1].generated_text,
        "finish_reason": events[-1].details and events[-1].details.finish_reason.value,
    }


async def asynchronous(client: Any, how: str, keywords: dict[str, Any]) -> Any:
    if how == "async":
        return outcome(await client.generate(**keywords))
    return streamed([event async for event in client.generate_stream(**keywords)])


async def together(client: Any, keywords: dict[str, Any], count: int) -> list[str]:
    calls = (client.generate(**keywords) for _ in range(count))
    results = await asyncio.gather(*calls, return_exceptions=True)
    return sorted(type(result).__name__ for result in results)


def make(url: str, how: str, keywords: dict[str, Any]) -> Any:
    timeout = keywords.pop("timeout", 60)
    if how == "sync":
        return outcome(Client(url, timeout=timeout).generate(**keywords))
    if how == "sync_stream":
        return streamed(list(Client(url, timeout=timeout).generate_stream(**keywords)))
    client = AsyncClient(url, timeout=timeout)
    if how == "together":
        return asyncio.run(together(client, keywords, keywords.pop("count")))
    return asyncio.run(asynchronous(client, how, keywords))


def main() -> None:
    for line in sys.stdin:
        call = json.loads(line)
        try:
            result = make(call["url"], call["how"], call["keywords"])
        except Exception as error:  # noqa: BLE001 (the client's errors share no base class)
            result = [type(error).__name__, str(error)]
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
