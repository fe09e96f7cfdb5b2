"""Generated tokens as LoRAX shows them."""

import zlib
from collections.abc import Sequence
from typing import Any

from boardroom.simulator.tokenizer.simple import Token


def generated_text(tokens: Sequence[Token]) -> str:
    """The text, without the model's markup."""
    return "".join(token.text for token in tokens if not token.special)


def logprob(tokens: Sequence[Token], index: int) -> float:
    """A log probability between -2 and 0 that the token and its place decide; it means nothing."""
    return -(zlib.crc32(f"{index}{tokens[index].text}".encode("utf-8", "surrogatepass")) % 4000) / 2000


def token_object(tokens: Sequence[Token], index: int) -> dict[str, Any]:
    """One generated token."""
    token = tokens[index]
    return {
        "id": token.id,
        "text": token.text,
        "logprob": logprob(tokens, index),
        "special": token.special,
        "skipped": False,
    }


def prefill_objects(tokens: Sequence[Token]) -> list[dict[str, Any]]:
    """The prompt's tokens, for `decoder_input_details`; the first has no log probability."""
    return [
        {"id": token.id, "text": token.text, "logprob": logprob(tokens, index) if index else None}
        for index, token in enumerate(tokens)
    ]
