"""What stands in the pages that people read: commands, and Kubernetes objects."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
_SHELL = ("", "console", "sh", "bash")
_COMMAND = re.compile(r"(?: {4}|\$ )?((?:[A-Z_]+=\S+ )*(?:make|kubectl|helm|boardroom|curl|docker|pip|export|git) .+)")


def pages() -> list[Path]:
    """Every page that git knows."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, text=True, capture_output=True, check=True)
    return [ROOT / name for name in listed.stdout.splitlines()]


def commands(page: Path) -> Iterator[str]:
    """The commands of its shell blocks and indented blocks, each in one line and without a comment."""
    language: str | None = None
    lines = iter(page.read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith("```"):
            language = line[3:] if language is None else None
            continue
        shell = language in _SHELL if language is not None else line.startswith("    ")
        if shell and (found := _COMMAND.fullmatch(line)):
            command = found[1]
            while command.endswith("\\"):
                command = command[:-1].rstrip() + " " + next(lines).strip()
            yield re.split(r"\s+#\s", command)[0].rstrip()


def anchors(page: Path) -> set[str]:
    """The anchors of its headings, as GitHub and the site name them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def objects(page: Path) -> Iterator[dict[str, Any]]:
    """The whole Kubernetes objects of its YAML blocks."""
    for body in re.findall(r"^```yaml\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        for document in yaml.safe_load_all(body):
            if isinstance(document, dict) and "metadata" in document:
                yield document
