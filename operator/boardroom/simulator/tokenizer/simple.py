"""Tokenizers count tokens: the protocol, and a simple one. A model's own is in file.py."""

import re
import zlib
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

_VOCABULARY: Final = 32_000
_BOS: Final = "<s>"
_EOS: Final = "</s>"
_SPECIAL: Final = {"<unk>": 0, _BOS: 1, _EOS: 2}
_TOKEN: Final = re.compile(r"</?s>| ?\w{1,8}| ?[^\w\s]|\s", re.UNICODE)
_CACHED: Final = 1 << 16


class Token(NamedTuple):
    """A token and the text that it adds."""

    id: int
    text: str
    special: bool = False
    """Whether the token is the model's markup and not text."""


class TokenSpan(NamedTuple):
    """A token as POST /tokenize shows it: its name in the vocabulary and its span in the text."""

    id: int
    text: str
    start: int
    stop: int


class Tokenizer(Protocol):
    """Splits a text into tokens; the tokens' texts, joined, are the text."""

    @property
    def eos(self) -> Token:
        """The token that ends an answer."""

    def encode(self, text: str, *, special: bool = False) -> list[Token]:
        """Return the tokens of a text; if `special`, after the tokens that begin a prompt."""

    def spans(self, text: str, *, special: bool) -> list[TokenSpan]:
        """Return the tokens and their spans."""


class SimpleTokenizer:
    """The tokenizer of simulations that have no model's own.

    A token is up to eight letters or digits with one space before them, or one other character with one space before
    it; longer words are split. `<s>` and `</s>` are one token each. Ids are checksums of the tokens' texts, so they are
    the same everywhere.
    """

    eos: Token = Token(_SPECIAL[_EOS], _EOS, special=True)

    def encode(self, text: str, *, special: bool = False) -> list[Token]:
        tokens = [_token(piece) for piece in _TOKEN.findall(text)]
        return [_token(_BOS), *tokens] if special else tokens

    def spans(self, text: str, *, special: bool) -> list[TokenSpan]:
        position = 0
        spans = [TokenSpan(_SPECIAL[_BOS], _BOS, 0, 0)] if special else []
        for token in self.encode(text):
            spans.append(TokenSpan(token.id, token.text, position, position + len(token.text)))
            position += len(token.text)
        return spans


@lru_cache(_CACHED)
def _token(text: str) -> Token:
    if text in _SPECIAL:
        return Token(_SPECIAL[text], text, special=True)
    checksum = zlib.crc32(text.encode("utf-8", "surrogatepass"))
    return Token(len(_SPECIAL) + checksum % (_VOCABULARY - len(_SPECIAL)), text)
