"""A documented simple tokenizer, for simulations without a model's own.

A token is at most eight letters or digits with the one space before them, or one other character with the one space
before it; longer words are cut. `<s>` and `</s>` are one token each. Joining the tokens gives the text back. Ids are
a checksum of the token's text, so they are the same everywhere and mean nothing.
"""

import re
import zlib
from typing import Final

BOS: Final = "<s>"
EOS: Final = "</s>"
_VOCABULARY: Final = 32_000
_SPECIAL: Final = {"<unk>": 0, BOS: 1, EOS: 2}
_TOKEN: Final = re.compile(r"</?s>| ?\w{1,8}| ?[^\w\s]|\s", re.UNICODE)


def tokenize(text: str) -> list[str]:
    """The tokens of a text, in order; their concatenation is the text."""
    return _TOKEN.findall(text)


def token_id(token: str) -> int:
    """The id of a token, below 32,000."""
    special = _SPECIAL.get(token)
    if special is not None:
        return special
    return len(_SPECIAL) + zlib.crc32(token.encode("utf-8", "surrogatepass")) % (_VOCABULARY - len(_SPECIAL))


def is_special(token: str) -> bool:
    """Whether the token is markup of the model's and not text."""
    return token in _SPECIAL
