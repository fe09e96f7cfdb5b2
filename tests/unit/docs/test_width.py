"""Lines of the documentation are at most 120 characters wide, and a row of a table of names has one name.

Rows of tables, links that stand alone, and what programs print (blocks without a language, of a console or JSON) may be
wider.
"""

import re
from pathlib import Path

import pytest

from tools.pages import ROOT

WIDTH = 120
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "CODE_OF_CONDUCT.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
PRINTED = ("", "console", "json")
ALONE = re.compile(r"\s*(?:[-*] )?(?:\[[^\]]+\]: ?|\[[^\]]+\]\()?\S+")
"""A link, with nothing beside it that could stand on a line of its own."""
TABLES_OF_NAMES = re.compile(r"\| (?:Field|Flag|Reason|Metric|Variable|Key) \|", re.IGNORECASE)


def ids(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_no_line_is_wider_than_120(page: Path) -> None:
    assert list(wide(page.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_a_row_of_a_table_of_names_has_one_name(page: Path) -> None:
    assert [row for row in rows(page.read_text(encoding="utf-8")) if row.split(" | ")[0].count("`") != 2] == []


@pytest.mark.parametrize(
    "text", ["x " * 70, "- x " + "y " * 70, "```yaml\n" + "x " * 70 + "\n```", "```\nx\n```\n" + "x " * 70]
)
def test_prose_and_code_that_are_too_wide_are_seen(text: str) -> None:
    assert len(list(wide(text))) == 1


@pytest.mark.parametrize(
    "text",
    ["| x " * 70, "```\n" + "x " * 70 + "\n```", "[x]: https://" + "x" * 120, "- [x](https://" + "x" * 120 + ")"],
)
def test_what_may_be_wide_may(text: str) -> None:
    assert list(wide(text)) == []


def wide(text: str) -> list[str]:
    found = []
    language: str | None = None
    for line in text.splitlines():
        if fence := re.match(r" *```(\S*)", line):
            language = fence[1] if language is None else None
        elif len(line) > WIDTH and language not in PRINTED and not line.startswith("|") and not ALONE.fullmatch(line):
            found.append(line)
    return found


def rows(text: str) -> list[str]:
    """The rows of tables whose first column names one thing a row."""
    tables = re.findall(r"(?:^\|.*\n)+", text + "\n", re.MULTILINE)
    return [row for table in tables if TABLES_OF_NAMES.match(table) for row in table.splitlines()[2:]]
