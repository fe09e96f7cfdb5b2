"""The text of the simulated model: readable, deterministic, and signed by the weights.

The text depends on prompt, weights and sampling parameters, and on the seed only when sampling. The signature
(signature.py) and the word "simulated" come first, so that even a short answer contains the signature.
"""

import hashlib
import itertools
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Final

from boardroom.simulator.entry import Answer, Sampling
from boardroom.simulator.json_schema.document import document
from boardroom.simulator.model_server.signature import signature
from boardroom.simulator.tokenizer.simple import Token, Tokenizer

_QUOTED_WORDS: Final = 8
_DIGEST_CHARACTERS: Final = len("sha256:") + 12
_CUE: Final = re.compile(r"^(?:\W*(?:assistant|answer|response|bot|model)\W*|\W*\[/INST\]\W*)$", re.IGNORECASE)
_SPEAKER: Final = re.compile(r"^\W*(?:user|question|human|input|instruction|\[INST\])\W*[:\]]\s*", re.IGNORECASE)


class Author:
    """Writes the answers of one base model and its adapters."""

    def __init__(self, base_model: str, salt: str, tokenizer: Tokenizer) -> None:
        self._base_model = base_model
        self._salt = salt
        self._tokenizer = tokenizer

    def write(self, prompt: str, question: str, sampling: Sampling, adapter_id: str, digest: str) -> Answer:
        """Return the answer to a prompt; `adapter_id` and `digest` are "" for the base model alone.

        Raises SchemaError.
        """
        opening = (self._opening(adapter_id, digest), _reference(question))
        chance = _chance(prompt, sampling, self._base_model, adapter_id, digest)
        sentences: Iterator[str] = itertools.chain(opening, _reasoning(adapter_id, chance))
        if sampling.schema is not None:
            sentences = _document(sampling.schema, chance, sentences)
        return _tokens_until_end(sentences, sampling, self._tokenizer)

    def _opening(self, adapter_id: str, digest: str) -> str:
        digits = signature(self._salt, self._base_model, adapter_id, digest)
        speaker = f"{adapter_id}@{digest[:_DIGEST_CHARACTERS]} on " if adapter_id else ""
        return f"[simulated signature={digits} {speaker}{self._base_model}]"


def question_in(prompt: str) -> str:
    """Return the question in a prompt of unknown layout: its last line that isn't a cue to the model."""
    for line in reversed(prompt.splitlines()):
        text = line.replace("</s>", "").replace("[/INST]", "").strip()
        if text and not _CUE.match(text):
            return _SPEAKER.sub("", text.rsplit("[INST]", 1)[-1].strip())
    return ""


def _reasoning(adapter_id: str, chance: Iterator[int]) -> Iterator[str]:
    """Yield sentences forever; an empty one is where the model would stop."""
    phrases = sorted(_phrases(adapter_id), key=lambda _: next(chance))
    length = 3 + next(chance) % 2
    for position, phrase in enumerate(itertools.cycle(phrases), start=1):
        yield f" {phrase}"
        if position == length:
            yield ""


def _document(schema: str, chance: Iterator[int], sentences: Iterator[str]) -> Iterator[str]:
    """Yield JSON that satisfies the schema, its first free text signed, and then ends forever."""
    free = (sentence for sentence in sentences if sentence)
    first = "".join(itertools.islice(free, 3))
    value = document(json.loads(schema), chance, itertools.chain((first,), free))
    yield json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    yield from itertools.repeat("")


def _tokens_until_end(sentences: Iterator[str], sampling: Sampling, tokenizer: Tokenizer) -> Answer:
    tokens: list[Token] = []
    ended = False
    for sentence in sentences:
        if sentence:
            tokens += tokenizer.encode(sentence)
        elif not sampling.ignore_eos or sampling.schema is not None:
            tokens.append(tokenizer.eos)
            ended = not sampling.ignore_eos
        stopped = _ended_answer(tokens, sampling, ended=ended)
        if stopped is not None:
            return stopped
    raise AssertionError("sentences never end")


def _ended_answer(tokens: Sequence[Token], sampling: Sampling, *, ended: bool) -> Answer | None:
    """Return the answer if the tokens have a reason to end; `ended` says that the last one is the model's end token.

    LoRAX checks after each token, in this order: max_new_tokens, the end token, a stop sequence. So an answer that ends
    exactly at max_new_tokens ends for its length.
    """
    limit = sampling.max_new_tokens
    at_stop = _end_of_stop(tokens[: limit - 1], sampling.stop)
    if at_stop is not None:
        return Answer(tuple(tokens[:at_stop]), "stop_sequence")
    if len(tokens) >= limit:
        return Answer(tuple(tokens[:limit]), "length")
    return Answer(tuple(tokens), "eos_token") if ended else None


def _end_of_stop(tokens: Sequence[Token], stop: Sequence[str]) -> int | None:
    """Return the number of tokens at which the text first ends with a stop sequence. An empty one ends every text.

    LoRAX's pattern ends with `$`, which also matches before a line end.
    """
    if not stop:
        return None
    ends = tuple(end for text in stop for end in (text, f"{text}\n"))
    text = ""
    for count, token in enumerate(tokens, start=1):
        text += token.text
        if text.endswith(ends):
            return count
    return None


def _chance(prompt: str, sampling: Sampling, *weights: str) -> Iterator[int]:
    parameters: tuple[object, ...] = (
        sampling.repetition_penalty,
        sampling.frequency_penalty,
        sampling.presence_penalty,
    )
    if sampling.sampled:
        parameters += (sampling.seed, sampling.temperature, sampling.top_p, sampling.top_k, sampling.typical_p)
    state = hashlib.blake2b(repr((weights, parameters, prompt)).encode("utf-8", "surrogatepass")).digest()
    while True:
        yield from state
        state = hashlib.blake2b(state).digest()


def _reference(question: str) -> str:
    words = question.split()
    quoted = " ".join(words[:_QUOTED_WORDS]) + (" ..." if len(words) > _QUOTED_WORDS else "")
    return f' On "{quoted}":' if words else " On your question:"


def _phrases(adapter_id: str) -> Sequence[str]:
    """Return the sentences of the role in the adapter's name, or of any role if the name has none."""
    table = _phrase_table()
    words = set(re.split(r"[^a-z]+", adapter_id.lower()))
    role = next((role for role in table if role in words), "anybody")
    return table[role]


@cache
def _phrase_table() -> Mapping[str, Sequence[str]]:
    text = resources.files(__package__).joinpath("phrases.toml").read_text(encoding="utf-8")
    return {role: tuple(entry["says"]) for role, entry in tomllib.loads(text).items()}
