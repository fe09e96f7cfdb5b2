"""The body of a server-side apply: JSON that is YAML too, which is what the API server takes it for."""

import re
from typing import Any, Final

import orjson

# With its charset: kubernetes.aio would else write the body itself, and a character outside the basic plane as two
# escapes (json.dumps), which YAML refuses.
APPLY_TYPE: Final = "application/apply-patch+yaml; charset=utf-8"
_NOT_PRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def apply_body(obj: dict[str, Any]) -> bytes:
    """The object as UTF-8; escaped is only what YAML does not print, or takes for the end of a line."""
    text = orjson.dumps(obj).decode()
    return _NOT_PRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()
