"""Finds a duplicate field in a body: LoRAX refuses it, while most JSON parsers use the last one."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from msgspec import inspect


class _Doubled(dict[str, Any]):
    """An object that had some of its keys more than once."""

    names: Sequence[str] = ()


def duplicate_field(body: bytes, kind: type) -> tuple[str, str] | None:
    """Return the object's path and the name of the first duplicate field of `kind` in valid JSON, or None.

    Fields that LoRAX does not know may be repeated, and so may those inside of a field that takes any JSON.
    """
    duplicates: list[_Doubled] = []

    def read(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) == len(pairs):
            return members
        duplicates.append(_Doubled(members))
        duplicates[-1].names = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
        return duplicates[-1]

    document = json.loads(body.decode("utf-8", "replace"), object_pairs_hook=read, parse_int=str, parse_float=str)
    return next(_doubled(document, _shape(kind), ""), None) if duplicates else None


@cache
def _shape(kind: type) -> inspect.Type:
    return inspect.type_info(kind)


def _doubled(value: Any, shape: inspect.Type, path: str) -> Iterator[tuple[str, str]]:
    match shape:
        case inspect.StructType(fields=fields) if isinstance(value, dict):
            names = value.names if isinstance(value, _Doubled) else ()
            yield from ((path, field.encode_name) for field in fields if field.encode_name in names)
            for field in fields:
                yield from _doubled(value.get(field.encode_name), field.type, _add_newcomers(path, field.encode_name))
        case inspect.ListType(item_type=item) if isinstance(value, list):
            for index, each in enumerate(value):
                yield from _doubled(each, item, f"{path}[{index}]")
        case inspect.UnionType(types=types):
            for each in types:
                yield from _doubled(value, each, path)


def _add_newcomers(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
