"""README's install, walked from nothing to an answered question: its own lines, in their order, in one shell."""

import os
from pathlib import Path

import pytest

from boardroom.cluster import build
from tools import shell
from tools.pages import ROOT, commands

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

FIRST, LAST = "make setup", "boardroom cluster down"
THE_OTHER_WAY = {
    "helm": ("kubectl apply --server-side -k manifests/demo", "kubectl -n boardroom-system rollout status"),
    "kustomize": ("helm install boardroom-operator",),
}
"""README installs the operator by Helm "or by kustomize": these lines are not for who takes this way."""


def walk(way: str) -> list[str]:
    """README's lines from a fresh clone to a cluster that is removed again."""
    lines = list(commands(ROOT / "README.md"))
    begin = next(at for at, line in enumerate(lines) if line.startswith(FIRST))
    section = lines[begin : lines.index(LAST, begin) + 1]
    skipped = [line for line in section if line.startswith(THE_OTHER_WAY[way])]
    assert len(skipped) == len(THE_OTHER_WAY[way]), section
    return [line for line in section if line not in skipped]


@pytest.mark.skipif(os.geteuid() != 0, reason="README's way without Docker is a native node, which needs root")
@pytest.mark.parametrize("way", THE_OTHER_WAY)
def test_readme_leads_from_nothing_to_an_answer(way: str, tmp_path: Path) -> None:
    """In a cluster of its own. What the machine is taken to have: helm and kubectl."""
    script = "\n".join([f"trap '{ROOT}/.venv/bin/{LAST}' EXIT", *walk(way)])
    kubectl = str(build.program("kubectl"))
    said = shell.run(script, tmp_path, kubectl=kubectl, XDG_STATE_HOME=str(tmp_path / "state"))
    assert "2 of 2 members answered" in said
    spoke = [f"{role} (executive-{role.lower()}) · answered · engine lorax" for role in ("CEO", "CFO")]
    assert [line for line in spoke if line not in said] == []
    assert "STATUS: deployed" in said
