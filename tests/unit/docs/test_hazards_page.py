"""docs/lorax.md names each hazard of LoRAX once, and what it says of this repository is there."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/lorax.md").read_text(encoding="utf-8")
SOURCES = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "operator", "tests", "bench", "charts", "manifests"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=True,
    ).stdout.splitlines()
    if name.endswith((".py", ".toml", ".md", ".yaml"))
]
PARTS = ["LoRAX", "Cost", "Here", "Held by"]


def anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")


def sections() -> dict[str, str]:
    """The text below each heading that is a hazard's."""
    pieces = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)[1:]
    found = dict(zip(pieces[::2], pieces[1::2], strict=True))
    return {heading: text for heading, text in found.items() if heading != "How LoRAX works"}


def undefined(cited: Iterable[str]) -> list[str]:
    return sorted(set(cited) - {anchor(heading) for heading in sections()})


def test_the_table_lists_every_hazard_in_order() -> None:
    assert re.findall(r"^\| \[([^\]]+)\] \|", PAGE, re.MULTILINE) == list(sections())
    assert dict(re.findall(r"^\[([^\]]+)\]: #(.+)$", PAGE, re.MULTILINE)) == {name: anchor(name) for name in sections()}


@pytest.mark.parametrize("hazard", sections())
def test_a_hazard_says_what_lorax_does_what_it_costs_and_what_is_done(hazard: str) -> None:
    assert re.findall(r"^\*\*(.+?)\.\*\*", sections()[hazard], re.MULTILINE) == PARTS


def test_links_within_the_page_lead_to_a_hazard() -> None:
    assert undefined(re.findall(r"\]\(#([^)]+)\)", PAGE)) == []


def test_every_citation_names_a_hazard_of_the_page() -> None:
    texts = [source.read_text(encoding="utf-8") for source in SOURCES if source != Path(__file__)]
    assert undefined(name for text in texts for name in re.findall(r"docs/lorax\.md#([\w-]+)", text)) == []


def test_a_citation_of_a_hazard_that_is_none_is_found() -> None:
    assert undefined(["idle-eviction", "trap-1"]) == ["trap-1"]


def test_files_of_this_repository_that_are_named_are_there() -> None:
    ours = [path for text in sections().values() for path in re.findall(r"`(\w[\w/]*\.(?:py|toml))`", _ours(text))]
    roots = (ROOT, ROOT / "operator/boardroom")
    assert ours != []
    assert [path for path in ours if not any((root / path).exists() for root in roots)] == []


def test_tests_that_are_named_are_there() -> None:
    functions = set(re.findall(r"def (test_\w+)", "".join(_texts("tests/**/test_*.py"))))
    named = re.findall(r"`(test_\w+\*?)`", PAGE)
    assert named != []
    assert [name for name in named if not any(_is(name, function) for function in functions)] == []


def _ours(section: str) -> str:
    """What a section says from "Here" on: before stand paths of LoRAX's repository."""
    return section.partition("**Here.**")[2]


def _texts(pattern: str) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in ROOT.glob(pattern)]


def _is(name: str, function: str) -> bool:
    return function.startswith(name[:-1]) if name.endswith("*") else function == name
