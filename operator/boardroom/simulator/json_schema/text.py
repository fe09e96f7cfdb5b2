"""Makes the strings of a JSON schema: free text, formats and patterns."""

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Final

from boardroom.simulator.json_schema.pattern import PatternError, matching

_ATTEMPTS: Final = 64
_MAX_LENGTH: Final = 100_000


class SchemaError(Exception):
    """A schema that isn't supported; the message says why."""


def text(schema: Mapping[str, Any], chance: Iterator[int], sentences: Iterator[str]) -> str:
    """Return a string of the schema; raises SchemaError."""
    fewest, most = schema.get("minLength", 0), schema.get("maxLength")
    if "pattern" in schema:
        return _patterned(schema["pattern"], chance, fewest, most)
    if "format" in schema:
        value = _formatted(schema["format"], chance)
        if value is not None:
            return value
    if fewest > _MAX_LENGTH:
        raise SchemaError(f"`minLength` is beyond {_MAX_LENGTH}")
    value = next(sentences).strip()
    while len(value) < fewest:
        value += next(sentences)
    return value if most is None else value[:most]


def _patterned(pattern: str, chance: Iterator[int], fewest: int, most: int | None) -> str:
    try:
        for _ in range(_ATTEMPTS):
            value = matching(pattern, chance)
            if re.search(pattern, value) and fewest <= len(value) <= (len(value) if most is None else most):
                return value
    except (PatternError, RecursionError, re.error) as error:
        raise SchemaError(f"the pattern {pattern!r} is not followed: {error}") from error
    raise SchemaError(f"no text was found for the pattern {pattern!r} within its bounds of length")


def _formatted(name: Any, chance: Iterator[int]) -> str | None:
    """Return a string of a format; None if the format is unknown, and so only a hint."""
    numbers = bytes(next(chance) for _ in range(16))
    day = f"20{numbers[0] % 30 + 10}-{numbers[1] % 12 + 1:02}-{numbers[2] % 28 + 1:02}"
    time = f"{numbers[3] % 24:02}:{numbers[4] % 60:02}:{numbers[5] % 60:02}"
    host = f"host{numbers[6]}.example"
    return {
        "date": day,
        "time": f"{time}Z",
        "date-time": f"{day}T{time}Z",
        "duration": f"P{numbers[0] % 30 + 1}D",
        "uuid": str(uuid.UUID(bytes=numbers, version=4)),
        "email": f"user{numbers[7]}@{host}",
        "uri": f"https://{host}/{numbers[8]}",
        "hostname": host,
        "ipv4": f"192.0.2.{numbers[9]}",
        "ipv6": f"2001:db8::{numbers[9]:x}",
    }.get(str(name))
