"""The body of a server-side apply: JSON that is valid YAML, as the API server parses it as YAML."""

import re
from typing import Any, Final

import orjson

# Without the charset kubernetes.aio serialises the body itself, by json.dumps, which writes a character outside the
# basic plane as two escapes, and YAML refuses those.
APPLY_TYPE: Final = "application/apply-patch+yaml; charset=utf-8"
_NOT_PRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def apply_body(obj: dict[str, Any]) -> bytes:
    """The object as UTF-8; characters that YAML can't print, or takes for a line break, are escaped."""
    text = orjson.dumps(obj).decode()
    return _NOT_PRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()
