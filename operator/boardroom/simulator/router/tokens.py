"""Generated tokens as LoRAX shows them."""

import zlib
from collections.abc import Sequence
from typing import Any

from boardroom.simulator.tokenizer.simple import Token


def generated_text(tokens: Sequence[Token]) -> str:
    """Return the text without the model's markup."""
    return "".join(token.text for token in tokens if not token.special)


def logprob(tokens: Sequence[Token], index: int) -> float:
    """Return a made-up log probability between -2 and 0, which depends on the token and its index."""
    return -(zlib.crc32(f"{index}{tokens[index].text}".encode("utf-8", "surrogatepass")) % 4000) / 2000


def token_object(tokens: Sequence[Token], index: int) -> dict[str, Any]:
    """Return one generated token."""
    token = tokens[index]
    return {
        "id": token.id,
        "text": token.text,
        "logprob": logprob(tokens, index),
        "special": token.special,
        "skipped": False,
    }


def prefill_objects(tokens: Sequence[Token]) -> list[dict[str, Any]]:
    """Return the prompt's tokens, for `decoder_input_details`; the first has no log probability."""
    return [
        {"id": token.id, "text": token.text, "logprob": logprob(tokens, index) if index else None}
        for index, token in enumerate(tokens)
    ]
