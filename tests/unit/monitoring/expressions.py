"""PromQL, as far as one must read it to know which metrics it asks for."""

import re

from unit.monitoring.registries import known

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABELS = re.compile(r"\{[^{}]*\}")
_GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)")
_TEXT = re.compile(r'"[^"]*"')
_DURATION = re.compile(r"\[[^\]]*\]|\b\d[\w.]*")
_WORDS = {"and", "or", "unless", "bool", "offset"}


def metrics(expression: str) -> set[str]:
    """The metrics of an expression; fails where one of them does not exist."""
    text = expression
    for part in (_TEXT, _LABELS, _GROUPING, _DURATION):
        text = part.sub(" ", text)
    found = {m.group() for m in _NAME.finditer(text) if not text[m.end() :].lstrip().startswith("(")} - _WORDS
    assert found - known() == set(), expression
    return found
