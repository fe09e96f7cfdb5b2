"""Every command of the documentation is run by a test, or said to need what this machine lacks (proofs.py)."""

import re
import shlex
from pathlib import Path

import click
import pytest

from boardroom.cli.main import main
from tools.install_page import PAGE, THEIRS, blocks
from tools.pages import ROOT, commands, pages
from unit.docs.proofs import CI, NEEDS, PROOFS, proof

SAID = {(page.relative_to(ROOT), command) for page in pages() for command in commands(page)}
LOCAL = (
    "image.repository=localhost/boardroom-operator,image.tag=dev,"
    "defaults.AOS_LORAX_IMAGE=localhost/boardroom-operator:dev"
)
TESTED = [block for block in blocks().values() if "boardroom-operator" in block]


def test_every_command_has_a_proof_and_every_proof_a_command() -> None:
    found = {said: proof(said[1]) for said in SAID}
    assert [said for said, how in found.items() if how is None] == []
    assert set(PROOFS) - {how[0] for how in found.values() if how is not None} == set()


@pytest.mark.parametrize("how", sorted(set(PROOFS.values())))
def test_a_proof_is_a_test_that_there_is_or_a_lack_that_is_named(how: str) -> None:
    if how == CI:
        assert "make test" in (ROOT / ".ci/run").read_text(encoding="utf-8")
    elif "::" in how:
        file, name = how.split("::")
        assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    else:
        assert how in NEEDS


@pytest.mark.parametrize(
    ("page", "command"), sorted(s for s in SAID if re.match(r"(boardroom|kubectl|helm) ", s[1])), ids=str
)
def test_a_command_of_ours_has_only_flags_that_there_are_and_files_are_where_it_says(page: Path, command: str) -> None:
    assert page.suffix == ".md"
    words = shlex.split(re.split(r" {2,}", command)[0].translate(str.maketrans("", "", "[]&")))
    files = [word for word in words if word.split("/")[0] in ("charts", "manifests", "crds", "docs", "bench")]
    assert [file for file in files if not (ROOT / file).exists()] == []
    if words[0] == "kubectl" and words[1] == "boardroom":
        words = words[1:]
    if words[0] == "boardroom":
        assert unknown(words[1:]) == []


@pytest.mark.parametrize(
    ("page", "command"), sorted(s for s in SAID if re.match(r"helm (install|test) boardroom-operator", s[1])), ids=str
)
def test_how_the_operator_is_installed_is_said_as_it_is_tested(page: Path, command: str) -> None:
    """docs/getting-started/install.md's marked blocks run on real pods; other pages say the same."""
    theirs = command.replace(LOCAL, THEIRS)
    assert any(same(theirs) in same(block) for block in TESTED), f"{page}: not as in {PAGE.name}"


def same(text: str) -> str:
    return " ".join(text.replace("\\\n", " ").split())


def unknown(words: list[str]) -> list[str]:
    """Flags and subcommands that `boardroom` does not have."""
    command: click.Command = main
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            return words[:1]
        command, words = found, words[1:]
    flags = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    return [word for word in words if word.startswith("-") and word.split("=")[0] not in flags]
