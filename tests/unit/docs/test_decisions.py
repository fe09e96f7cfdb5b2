"""Each page of docs/decisions has a number, a title, a date and a status, and the index lists it with them."""

import re
from datetime import date
from pathlib import Path
from typing import Final

import pytest

FOLDER: Final = Path(__file__).parents[3] / "docs/decisions"
PAGES: Final = sorted(FOLDER.glob("[0-9]*.md"))
INDEX: Final = (FOLDER / "README.md").read_text(encoding="utf-8")
HEAD: Final = re.compile(
    r"# (?P<number>\d{4}): (?P<title>[^\n]+)\n\n"
    r"- Date: (?P<date>\d{4}-\d{2}-\d{2})\n"
    r"- Status: (?P<status>accepted|(?:accepted, amended|superseded) by \[(?P<by>\d{4})\]\((?P<page>[^)]+)\))\n\n"
    r"## Context\n"
)
HEADINGS: Final = ["Context", "Decision", "Consequences"]
OTHERWISE: Final = ["the page begins otherwise than with title, date, status and context"]
GOOD: Final = (
    "# 0001: A title\n\n- Date: 2026-11-23\n- Status: accepted\n\n## Context\n\n## Decision\n\n## Consequences\n"
)


def problems(name: str, text: str) -> list[str]:
    """What is wrong with the form of a page."""
    head = HEAD.match(text)
    if head is None:
        return OTHERWISE
    found = []
    if head["number"] != name[:4]:
        found.append(f"the title has the number {head['number']}")
    try:
        date.fromisoformat(head["date"])
    except ValueError:
        found.append(f"{head['date']} is no date")
    if head["by"] and not (FOLDER / head["page"]).name.startswith(head["by"]):
        found.append(f"the status names {head['by']} and links {head['page']}")
    if (headings := re.findall(r"^## (.+)$", text, re.MULTILINE)) != HEADINGS:
        found.append(f"the headings are {headings}")
    return found


def row(text: str) -> tuple[str, ...]:
    """The page's row of the index."""
    head = HEAD.match(text)
    assert head is not None
    return head["number"], head["title"], head["date"], re.sub(r"\[(\d+)\]\([^)]+\)", r"\1", head["status"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_decision_has_the_form(page: Path) -> None:
    assert problems(page.name, page.read_text(encoding="utf-8")) == []


def test_numbers_follow_each_other() -> None:
    assert [page.name[:4] for page in PAGES] == [f"{number:04}" for number in range(1, len(PAGES) + 1)]


def test_the_index_lists_every_page_with_title_date_and_status() -> None:
    rows = re.findall(r"^\| \[(\d{4})\] \| (.+?) \| (\S+) \| (.+) \|$", INDEX, re.MULTILINE)
    assert rows == [row(page.read_text(encoding="utf-8")) for page in PAGES]
    links = re.findall(r"^\[(\d{4})\]: (\S+)$", INDEX, re.MULTILINE)
    assert links == [(page.name[:4], page.name) for page in PAGES]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD, []),
        (GOOD.replace("- Status: accepted\n", ""), OTHERWISE),
        (GOOD.replace("accepted", "agreed"), OTHERWISE),
        (GOOD.replace("0001", "0002"), ["the title has the number 0002"]),
        (GOOD.replace("11-23", "13-23"), ["2026-13-23 is no date"]),
        (GOOD.replace("## Decision\n", ""), ["the headings are ['Context', 'Consequences']"]),
        (
            GOOD.replace("accepted", "superseded by [0004](0020-own-http-transport.md)"),
            ["the status names 0004 and links 0020-own-http-transport.md"],
        ),
    ],
)
def test_a_page_of_another_form_is_found(text: str, expected: list[str]) -> None:
    assert problems("0001-a-title.md", text) == expected
