"""A LoRAX that does exactly what a test says, for what the simulator can't be made to: hang, break, lie."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Script = Callable[["Call"], Awaitable[None]]


class Call:
    """One request, and the means to answer it."""

    def __init__(self, scope: dict[str, Any], body: bytes, receive: Receive, send: Send) -> None:
        self.path: str = scope["path"]
        self.headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        self.client_port: int = scope["client"][1]
        self.raw = body
        self.body: dict[str, Any] = orjson.loads(body) if body else {}
        self._receive = receive
        self._send = send

    @property
    def adapter(self) -> str:
        found: str = self.body.get("model") or self.body.get("parameters", {}).get("adapter_id", "")
        return found

    @property
    def is_probe(self) -> bool:
        return self.headers.get("x-request-id", "").startswith("probe-")

    async def answer(self, status: int, body: bytes, content_type: str = "application/json", **headers: str) -> None:
        pairs = [(b"content-type", content_type.encode())]
        pairs += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})
        await self._send({"type": "http.response.body", "body": body})

    async def begin(self, status: int, content_type: str) -> None:
        """Headers of an answer that comes chunk by chunk."""
        pairs = [(b"content-type", content_type.encode())]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def chunk(self, body: bytes, *, last: bool = False) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": not last})

    async def say(self, text: str, finish: str = "stop", **headers: str) -> None:
        """A chat completion, or a generation on /generate."""
        if self.path == "/generate":
            details = {"finish_reason": "eos_token", "prompt_tokens": 7, "generated_tokens": 3, "tokens": []}
            await self.answer(200, orjson.dumps({"generated_text": text, "details": details}), **headers)
            return
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
        usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
        await self.answer(200, orjson.dumps({"id": "null", "choices": [choice], "usage": usage}), **headers)

    async def fail(self, status: int, error: str, error_type: str) -> None:
        await self.answer(status, orjson.dumps({"error": error, "error_type": error_type}))

    async def client_leaves(self) -> None:
        """Return when the caller disconnects."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


def delta(text: str, finish: str | None = None) -> bytes:
    """One event of a chat stream; the last has a finish reason."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    usage = {"usage": {"prompt_tokens": 1, "completion_tokens": 1}} if finish else {}
    return b"data: " + orjson.dumps({"choices": [choice]} | usage) + b"\n\n"


def beside_probes(script: Script) -> Script:
    """The script for the questions; the coordinator's probes are answered, so that its adapters are proved."""

    async def answered(call: Call) -> None:
        await (call.say("yes") if call.is_probe else script(call))

    return answered


class ScriptedLorax:
    """An ASGI application; `script` answers generations, health and metrics answer by themselves."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.calls: list[Call] = []
        self.metrics = b""

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        call = Call(scope, body, receive, send)
        if call.path == "/health":
            await call.answer(200, b"")
        elif call.path == "/metrics":
            await call.answer(200, self.metrics, "text/plain")
        else:
            self.calls.append(call)
            await self.script(call)
