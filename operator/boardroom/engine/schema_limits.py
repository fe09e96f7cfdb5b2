"""Limits of a JSON schema for any engine. Pure."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from boardroom.engine.errors import SchemaRefused

MAX_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 32
"""Levels of objects and arrays in the schema's text; vLLM takes 64."""


def bounded(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema unchanged; raises SchemaRefused if it is too deep or too large for any engine."""
    level: list[tuple[tuple[str, ...], Any]] = [((), schema)]
    for _ in range(MAX_DEPTH):
        level = [child for path, value in level for child in _children(path, value)]
        if not level:
            break
    else:
        raise SchemaRefused(level[0][0], f"it is nested deeper than {MAX_DEPTH} levels: take some out")
    try:
        size = len(orjson.dumps(schema))
    except TypeError as error:
        raise SchemaRefused((), f"it can't be written as JSON: {error}") from error
    if size > MAX_BYTES:
        raise SchemaRefused((), f"it has {size} bytes, and at most {MAX_BYTES} are taken: make it smaller")
    return schema


def _children(path: tuple[str, ...], value: Any) -> list[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping):
        return [((*path, str(name)), child) for name, child in value.items()]
    if isinstance(value, list):
        return [((*path, str(index)), child) for index, child in enumerate(value)]
    return []
