"""What counts tokens: a documented simple tokenizer, or a model's own from its file (tokenizer_file.py)."""

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
    """A token, and what it adds to the text."""

    id: int
    text: str
    special: bool = False
    """Whether it is the model's markup and not text."""


class TokenSpan(NamedTuple):
    """A token as POST /tokenize shows it: its name in the vocabulary and its characters in the text."""

    id: int
    text: str
    start: int
    stop: int


class Tokenizer(Protocol):
    """Cuts texts into tokens whose texts, joined, are the text again."""

    @property
    def eos(self) -> Token:
        """The token that ends an answer."""

    def encode(self, text: str, *, special: bool = False) -> list[Token]:
        """The tokens of a text, behind those that the model begins a prompt with if special."""

    def spans(self, text: str, *, special: bool) -> list[TokenSpan]:
        """The tokens and where they stand."""


class SimpleTokenizer:
    """For simulations without a model's own.

    A token is at most eight letters or digits with the one space before them, or one other character with the one
    space before it; longer words are cut. `<s>` and `</s>` are one token each. Ids are a checksum of the token's text,
    so they are the same everywhere and mean nothing.
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
