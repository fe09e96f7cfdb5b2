"""The commands of docs/install.md that are marked as tested, run as they stand there."""

import os
import re
import subprocess
from pathlib import Path

from tools.programs import tool

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "install.md"
THEIRS = "image.repository=registry.example.com/boardroom-operator"


def blocks() -> dict[str, str]:
    """Each marked block's commands by its name."""
    found = re.findall(r"<!-- test: (\S+) -->\n```\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return dict(found)


def run(name: str, home: Path, *, kubeconfig: str, kubectl: str, image: str) -> str:
    """What a block says, with `image` (values of the chart) in place of the page's registry; it must succeed."""
    programs = home / "programs"
    programs.mkdir(exist_ok=True)
    for command, program in (("helm", str(tool("helm4"))), ("kubectl", kubectl)):
        (programs / command).unlink(missing_ok=True)
        (programs / command).symlink_to(program)
    folders = {f"HELM_{what}_HOME": str(home / what.lower()) for what in ("CACHE", "CONFIG", "DATA")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", blocks()[name].replace(THEIRS, image)],
        env=os.environ | folders | {"PATH": f"{programs}:{os.environ['PATH']}", "KUBECONFIG": kubeconfig},
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
