"""All rows of YAML as whole documents, for the test without an API server and for the one with."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from tried.yaml_boards import NULLS, QUANTITIES, TYPES, UNKNOWN, Rows
from tried.yaml_documents import DOCUMENTS
from tried.yaml_members import MEMBERS
from tried.yaml_rules import RULES, TWICE, VALUES

_BOARD: Final = "apiVersion: boardroom.dev/v1alpha1\nkind: Boardroom\nmetadata: {name: b}\nspec:\n"
_MEMBER: Final = "apiVersion: boardroom.dev/v1alpha1\nkind: BoardAgent\nmetadata: {name: a}\nspec:\n"


class Tried(NamedTuple):
    """A document, and the text that its refusal names; empty where it is taken."""

    name: str
    text: str
    refusal: str


def tried() -> list[Tried]:
    boards: dict[str, Rows] = {
        "quantity": QUANTITIES, "null": NULLS, "unknown": UNKNOWN, "type": TYPES, "value": VALUES, "twice": TWICE,
        "rule": RULES,
    }  # fmt: skip
    found = [row for group, rows in boards.items() for row in _rows(group, rows, _BOARD, {"model": "{id: m}"})]
    found += _rows("member", MEMBERS, _MEMBER, {"boardroomRef": "{name: b}", "role": "CEO"})
    return found + [Tried(f"document: {name}", *row) for name, row in DOCUMENTS.items()]


def _rows(group: str, rows: Rows, head: str, fields: dict[str, str]) -> Iterator[Tried]:
    for name, (line, refusal) in rows.items():
        written = set(re.findall(r"^ *(\w+):", line, flags=re.MULTILINE)[:1])
        rest = "".join(f"  {field}: {value}\n" for field, value in fields.items() if field not in written)
        yield Tried(f"{group}: {name}", f"{head}{rest}  {line}\n", refusal)
