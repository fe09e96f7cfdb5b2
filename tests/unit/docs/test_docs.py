"""What the documents promise exists."""

import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from boardroom.cli.main import Commands, main
from tools.install_page import PAGE, blocks
from tools.pages import anchors

ROOT = Path(__file__).parents[3]
DOCUMENTS = [
    ROOT / name
    for name in subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, text=True, capture_output=True, check=True)
    .stdout.splitlines()
]  # fmt: skip
NOT_HERE = {
    "bench/results/gpu-profile.toml",  # a program that the page names writes it
    "operator/__init__.py",  # a rule says that it must not be
}
TARGETS = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_every_anchor_of_a_link_is_a_heading(document: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]*)#([^)]+)\)", document.read_text(encoding="utf-8"))
    targets = [((document.parent / file) if file else document, anchor) for file, anchor in links]
    assert [(page, anchor) for page, anchor in targets if anchor not in anchors(page)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_every_file_of_the_repository_that_is_named_exists(document: Path) -> None:
    named = re.findall(
        r"`((?:bench|docs|manifests|operator|requirements|tests)/[\w./-]+)`", document.read_text("utf-8")
    )
    assert [file for file in named if file not in NOT_HERE and not (ROOT / file).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_every_import_of_an_example_works(document: Path) -> None:
    blocks_of_python = re.findall(
        r"^```python\n(.*?)^```$", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    imports = [
        line for block in blocks_of_python for line in block.splitlines() if re.match(r"(from|import) boardroom", line)
    ]
    for line in imports:
        exec(line, {})


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    named = set(
        re.findall(r"(?:`|^ {4}|^\$ )make ([a-z][a-z0-9-]*)", document.read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert named - TARGETS == set()


def test_every_make_target_for_people_has_a_help_line() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(" ".join(re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)).split())
    helped = set(re.findall(r"^([a-z][a-z0-9-]*):.*## ", text, re.MULTILINE))
    assert phony - helped == {"e2e"}  # a short name of test-e2e


def test_every_block_that_says_tested_is_run_by_a_test() -> None:
    charts = (ROOT / "tests/e2e/test_charts.py").read_text(encoding="utf-8")
    named = list(blocks())
    assert len(named) == PAGE.read_text(encoding="utf-8").count("*Tested")
    assert [name for name in named if f'page("{name}")' not in charts] == []


@pytest.mark.parametrize("command", Commands.names)
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {command}")
