"""The commands of docs/getting-started/install.md that are marked as tested, run as they stand there."""

import re
from pathlib import Path

from tools import shell
from tools.pages import ROOT

PAGE = ROOT / "docs/getting-started/install.md"
THEIRS = "image.repository=registry.example.com/boardroom-operator"


def blocks() -> dict[str, str]:
    """Each marked block's commands by its name."""
    found = re.findall(r"<!-- test: (\S+) -->\n```\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return dict(found)


def run(name: str, home: Path, *, kubeconfig: str, kubectl: str, image: str) -> str:
    """What a block says, with `image` (values of the chart) in place of the page's registry; it must succeed."""
    return shell.run(blocks()[name].replace(THEIRS, image), home, kubectl=kubectl, KUBECONFIG=kubeconfig)
