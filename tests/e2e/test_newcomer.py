"""README's install, walked from nothing to an answered question: its own lines, in their order, in one shell."""

import os
import subprocess
from pathlib import Path

import pytest

from boardroom.cluster import build
from tools.pages import ROOT, commands
from tools.programs import tool

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
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "helm").symlink_to(tool("helm4"))
    (programs / "kubectl").symlink_to(build.program("kubectl"))
    helm = {f"HELM_{what}_HOME": str(tmp_path / what.lower()) for what in ("CACHE", "CONFIG", "DATA")}
    own = {"PATH": f"{programs}:{os.environ['PATH']}", "XDG_STATE_HOME": str(tmp_path / "state")}
    script = "\n".join(["set -euo pipefail", f"trap '{ROOT}/.venv/bin/{LAST}' EXIT", *walk(way)])
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=os.environ | helm | own, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 members answered" in done.stdout
    spoke = [f"{role} (executive-{role.lower()}) · answered · engine lorax" for role in ("CEO", "CFO")]
    assert [line for line in spoke if line not in done.stdout] == []
    assert "STATUS: deployed" in done.stdout
