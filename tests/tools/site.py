"""`make docs`: the site of docs/, built by Zensical into build/docs.

The pages link files of the repository beside docs/ (README.md, charts, examples). The site carries each of these under
`repository/`: a page as a page, a folder as the list of its files, any other file as a page with its text.
"""

import posixpath
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tools.pages import ROOT

ZENSICAL: Final = ROOT / ".venv-docs" / "bin" / "zensical"
_REPOSITORY: Final = "repository"
_LINK = re.compile(r"(\]\(|\b(?:src|srcset|href)=\")(?!https?:|mailto:|#)([^)#\s\"]+)")
_COLOURS = re.compile(r"\x1b\[[\d;]*m")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_NOT_FOUND_BY_SEARCH = "---\nsearch:\n  exclude: true\n---\n"


def build(folder: Path) -> Path:
    """Builds the site in `folder`, below which nothing else may lie; the root of its pages. Warnings are errors."""
    shutil.rmtree(folder, ignore_errors=True)
    source = folder / "source"
    Source(source).write()
    (folder / "zensical.toml").write_text(configuration(source), encoding="utf-8")
    command = [str(ZENSICAL), "build", "--strict", "--clean"]
    built = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)
    if built.returncode != 0:
        raise RuntimeError(_COLOURS.sub("", built.stdout + built.stderr.split("Traceback")[0]))
    return folder / "site"


def configuration(source: Path) -> str:
    """zensical.toml with each `folder/*.md` of its navigation written out, a README.md first."""

    def pages(pattern: re.Match[str]) -> str:
        found = sorted(source.glob(pattern[1]), key=lambda page: (page.name != "README.md", page.name))
        return ", ".join(f'"{page.relative_to(source)}"' for page in found)

    text = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    return re.sub(r'"([\w-]+/\*\.md)"', pages, text).replace(
        "[project]\n", '[project]\ndocs_dir = "source"\nsite_dir = "site"\n', 1
    )


class Source:
    """The pages as Zensical gets them, below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pending = sorted(path for path in (ROOT / "docs").rglob("*") if path.is_file())
        self._written: set[Path] = set()

    def write(self) -> None:
        """Writes docs/, then whatever these pages link, and so on."""
        while self._pending:
            path = self._pending.pop()
            if path not in self._written:
                self._written.add(path)
                self._write(path)

    def _write(self, path: Path) -> None:
        place = self._folder / _place(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            place.write_text(_NOT_FOUND_BY_SEARCH + self._links_followed(_listing(path), path / "README.md"))
        elif path.suffix == ".md":
            place.write_text(self._links_followed(path.read_text(encoding="utf-8"), path), encoding="utf-8")
        elif path.is_relative_to(ROOT / "docs"):
            shutil.copyfile(path, place)
        else:
            title = path.relative_to(ROOT)
            text = path.read_text(encoding="utf-8")
            place.write_text(f"{_NOT_FOUND_BY_SEARCH}# {title}\n\n```{path.suffix[1:]}\n{text}```\n", encoding="utf-8")

    def _links_followed(self, text: str, page: Path) -> str:
        """The page with each relative link, outside blocks of code, leading to its target's place on the site."""

        def link(found: re.Match[str]) -> str:
            target = Path(posixpath.normpath(page.parent / found[2]))
            if target.is_dir() and (target / "README.md").is_file():
                target /= "README.md"
            self._pending.append(target)
            return found[1] + posixpath.relpath(_place(target), posixpath.dirname(_place(page)))

        parts = re.split(f"({_FENCE.pattern})", text, flags=_FENCE.flags)
        return "".join(part if part.startswith("```") else _LINK.sub(link, part) for part in parts)


def _place(path: Path) -> str:
    """Where a file or folder of the repository lies among the pages."""
    docs = ROOT / "docs"
    if path.is_relative_to(docs):
        return str(path.relative_to(docs))
    inside = Path(_REPOSITORY) / path.relative_to(ROOT)
    if path.is_dir():
        return str(inside / "README.md")
    return str(inside if path.suffix == ".md" else inside.with_name(inside.name + ".md"))


def _listing(folder: Path) -> str:
    files = sorted(file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
    return "\n".join([f"# {folder.relative_to(ROOT)}", "", *(f"- [{file}]({file})" for file in files), ""])


if __name__ == "__main__":
    built = build(ROOT / "build" / "docs-work")
    shutil.rmtree(ROOT / "build" / "docs", ignore_errors=True)
    built.rename(ROOT / "build" / "docs")
    sys.stderr.write("the site is in build/docs: open build/docs/index.html\n")
