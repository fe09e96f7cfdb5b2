"""The body of a chat request. Pure."""

from typing import Any

import orjson

from boardroom.engine.errors import InvalidRequest
from boardroom.engine.protocol import GenerationRequest


def messages(request: GenerationRequest) -> list[dict[str, str]]:
    """Return the system prompt, the history and the question as chat messages."""
    system = [{"role": "system", "content": request.system}] if request.system else []
    history = [
        {"role": role, "content": text}
        for turn in request.history
        for role, text in (("user", turn.question), ("assistant", turn.answer))
    ]
    return [*system, *history, {"role": "user", "content": request.prompt}]


def sampling(request: GenerationRequest) -> dict[str, Any]:
    """Return the sampling parameters that every server calls by the same name, if they are set."""
    fields: dict[str, Any] = {}
    if request.top_p is not None:
        fields["top_p"] = request.top_p
    if request.stop:
        fields["stop"] = list(request.stop)
    if request.seed is not None:
        fields["seed"] = request.seed
    return fields


def encode_json(body: dict[str, Any]) -> bytes:
    """Encode a body; raises InvalidRequest if a text in it is not valid Unicode or a schema is nested too deep."""
    try:
        return orjson.dumps(body)
    except TypeError as error:
        raise InvalidRequest(f"the request can't be written as JSON: {error}") from error
