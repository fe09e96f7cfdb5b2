"""The commands of a page in one shell, on a machine that has helm and kubectl."""

import os
import subprocess
from pathlib import Path

from tools.helm import own_folders
from tools.pages import ROOT
from tools.programs import tool


def run(script: str, home: Path, *, kubectl: str, **environment: str) -> str:
    """What they say, run in the repository with nothing of the user's own; they must succeed."""
    programs = home / "programs"
    programs.mkdir(exist_ok=True)
    for command, program in (("helm", str(tool("helm4"))), ("kubectl", kubectl)):
        (programs / command).unlink(missing_ok=True)
        (programs / command).symlink_to(program)
    path = {"PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=os.environ | own_folders(home) | path | environment,
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
