"""What the real lorax-client makes of a server: run by its own interpreter, `URL ADAPTER` in, one JSON object out."""

import asyncio
import json
import sys

from lorax import AsyncClient, Client


def outcome(call):
    """What a call returned, or the class and text of what it raised."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001 (the client's errors share no base class)
        return [type(error).__name__, str(error)]


def whole(client, adapter):
    answer = client.generate("Why?", adapter_id=adapter, adapter_source="local", max_new_tokens=12, details=True)
    details = answer.details
    return {
        "text": answer.generated_text,
        "finish_reason": details.finish_reason.value,
        "prompt_tokens": details.prompt_tokens,
        "generated_tokens": details.generated_tokens,
        "tokens": [token.text for token in details.tokens],
    }


def streamed(client, adapter):
    events = list(client.generate_stream("Why?", adapter_id=adapter, adapter_source="local", max_new_tokens=12))
    return {"tokens": [event.token.text for event in events], "text": events[-1].generated_text}


async def whole_async(client, adapter):
    answer = await client.generate("Why?", adapter_id=adapter, adapter_source="local", max_new_tokens=12)
    return answer.generated_text


async def streamed_async(client, adapter):
    stream = client.generate_stream("Why?", adapter_id=adapter, adapter_source="local", max_new_tokens=12)
    return [event.token.text async for event in stream]


async def together(client, adapter, count):
    calls = (whole_async(client, adapter) for _ in range(count))
    results = await asyncio.gather(*calls, return_exceptions=True)
    return sorted(type(result).__name__ for result in results)


def main(url, adapter):
    client, asynchronous = Client(url, timeout=30), AsyncClient(url, timeout=30)
    missing = f"{adapter}/missing"
    return {
        "generate": whole(client, adapter),
        "generate_stream": streamed(client, adapter),
        "async_generate": asyncio.run(whole_async(asynchronous, adapter)),
        "async_generate_stream": asyncio.run(streamed_async(asynchronous, adapter)),
        "missing_adapter": outcome(lambda: whole(client, missing)),
        "missing_adapter_stream": outcome(lambda: streamed(client, missing)),
        "async_missing_adapter": outcome(lambda: asyncio.run(whole_async(asynchronous, missing))),
        "too_long": outcome(lambda: client.generate("Why?", max_new_tokens=100_000)),
        "overloaded": asyncio.run(together(asynchronous, adapter, 6)),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
