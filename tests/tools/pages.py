"""What stands in the pages that people read: blocks, commands, objects."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


def pages() -> list[Path]:
    """Every page that git knows."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, text=True, capture_output=True, check=True)
    return [ROOT / name for name in listed.stdout.splitlines()]


def objects(page: Path) -> Iterator[dict[str, Any]]:
    """The whole Kubernetes objects of its YAML blocks."""
    for body in re.findall(r"^```yaml\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        for document in yaml.safe_load_all(body):
            if isinstance(document, dict) and "metadata" in document:
                yield document
