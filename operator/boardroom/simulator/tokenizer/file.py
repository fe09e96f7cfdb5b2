"""A model's own tokenizer, from its tokenizer.json; needs the optional package `tokenizers`."""

import importlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from boardroom.simulator.tokenizer.simple import SimpleTokenizer, Token, Tokenizer, TokenSpan

_ENDS: Final = (
    "</s>",
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<eos>",
)
"""End tokens of models' vocabularies; those of instruct models' turns come first."""


class TokenizerError(ValueError):
    """A tokenizer that can't be used; the message has the remedy."""


def load_tokenizer(file: Path | None) -> Tokenizer:
    """Return the tokenizer of a file, or the simple one if there is no file; raises TokenizerError."""
    if file is None:
        return SimpleTokenizer()
    check_tokenizer(file)
    try:
        # Imported by name: mypy must not need the optional package.
        return FileTokenizer(importlib.import_module("tokenizers").Tokenizer.from_file(str(file)))
    except TokenizerError:
        raise
    except Exception as error:  # the library raises bare Exceptions
        raise TokenizerError(f"{file} is no tokenizer.json: {error}") from error


def check_tokenizer(file: Path) -> None:
    """Raise TokenizerError if the file or the package is missing."""
    if find_spec("tokenizers") is None:
        raise TokenizerError(
            "--tokenizer needs the package `tokenizers`: pip install tokenizers; or leave the flag out"
        )
    if not file.is_file():
        raise TokenizerError(f"there is no file {file}; --tokenizer takes the tokenizer.json of the base model")


class FileTokenizer:
    """Token counts and ids are the model's; an answer is encoded sentence by sentence."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        tokenizer.no_truncation()
        tokenizer.no_padding()
        added = tokenizer.get_added_tokens_decoder()
        self._special = frozenset(token_id for token_id, token in added.items() if token.special)
        end = next((end for end in _ENDS if tokenizer.token_to_id(end) is not None), None)
        if end is None:
            raise TokenizerError(f"the vocabulary has none of the known end tokens {', '.join(_ENDS)}")
        self.eos = Token(tokenizer.token_to_id(end), end, special=True)

    def encode(self, text: str, *, special: bool = False) -> list[Token]:
        encoding = self._tokenizer.encode(text, add_special_tokens=special)
        tokens: list[Token] = []
        reached = 0
        for token_id, (start, stop) in zip(encoding.ids, encoding.offsets, strict=True):
            is_special = token_id in self._special
            if is_special and start == stop:  # the tokenizer adds it; the text does not have it
                tokens.append(Token(token_id, self._tokenizer.id_to_token(token_id), special=True))
                continue
            tokens.append(Token(token_id, text[reached : max(stop, reached)], special=is_special))
            reached = max(stop, reached)
        if tokens and reached < len(text):
            tokens[-1] = tokens[-1]._replace(text=tokens[-1].text + text[reached:])
        return tokens

    def spans(self, text: str, *, special: bool) -> list[TokenSpan]:
        encoding = self._tokenizer.encode(text, add_special_tokens=special)
        return [
            TokenSpan(token_id, self._tokenizer.id_to_token(token_id), start, stop)
            for token_id, (start, stop) in zip(encoding.ids, encoding.offsets, strict=True)
        ]
