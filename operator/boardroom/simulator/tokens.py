"""Generated tokens as LoRAX shows them."""

import zlib
from collections.abc import Sequence
from typing import Any

from boardroom.simulator.tokenizer import is_special, token_id


def generated_text(tokens: Sequence[str]) -> str:
    """The text, without the model's markup."""
    return "".join(token for token in tokens if not is_special(token))


def logprob(tokens: Sequence[str], index: int) -> float:
    """A log probability between -2 and 0 that the token and its place decide; it means nothing."""
    return -(zlib.crc32(f"{index}{tokens[index]}".encode("utf-8", "surrogatepass")) % 4000) / 2000


def token_object(tokens: Sequence[str], index: int) -> dict[str, Any]:
    """One generated token."""
    text = tokens[index]
    return {
        "id": token_id(text),
        "text": text,
        "logprob": logprob(tokens, index),
        "special": is_special(text),
        "skipped": False,
    }


def prefill_objects(tokens: Sequence[str]) -> list[dict[str, Any]]:
    """The prompt's tokens, for `decoder_input_details`; the first has no log probability."""
    return [
        {"id": token_id(text), "text": text, "logprob": logprob(tokens, index) if index else None}
        for index, text in enumerate(tokens)
    ]
