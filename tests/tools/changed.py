"""The unit tests of what changed, one file or folder a line: `make dev` runs them.

What changed is what differs from the commit where this branch left main, and what git does not know yet. On main itself
that is the working tree; where the tree is clean too, the last commit.

A test file is listed if it changed; if its name is a changed module's (tools/layout.py); if it imports one, by itself,
through a helper of the tests or through the package that offers it; or if a conftest.py above it changed. A data file
of a room lists the room's folder, a page or a chart the folders that read it.
"""

import argparse
import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from tools.layout import ROOT, modules, own_tests

UNIT: Final = PurePosixPath("tests/unit")
_SOURCES: Final = {"operator": "operator", "tests": "tests", "bench": "."}
"""Where imports begin, by the top folder of a file."""
_READERS: Final = {
    "charts": ("charts", "monitoring"),
    "crds": ("api", "charts"),
    "docs": ("api", "docs", "monitoring"),
    "manifests": ("api", "controller", "docs", "gitops"),
}
"""Folders of tests/unit that read what is no Python, by its top folder; `docs` reads all that is not here."""


def changed(root: Path, base: str) -> set[PurePosixPath]:
    """Files that differ from `base` in the working tree, those that are gone among them, and those unknown to git."""
    differing = _git(root, "diff", "--name-only", "--no-renames", base)
    return {PurePosixPath(name) for name in [*differing, *_git(root, "ls-files", "--others", "--exclude-standard")]}


def base_of(root: Path) -> str:
    """The commit to compare with; the module's docstring says which."""
    mains = _git(root, "for-each-ref", "--format=%(refname)", "refs/remotes/origin/main", "refs/heads/main")
    fork = _git(root, "merge-base", "HEAD", mains[0])[0] if mains else "HEAD"
    head = _git(root, "rev-parse", "HEAD")[0]
    if fork not in {head, "HEAD"}:
        return fork
    is_first = len(_git(root, "rev-list", "--max-count=2", "HEAD")) == 1
    return "HEAD" if is_first or _git(root, "status", "--porcelain") else "HEAD~1"


def affected(root: Path, files: Iterable[PurePosixPath]) -> list[PurePosixPath]:
    """The unit tests of these files, sorted; a folder stands for the tests in it."""
    files = set(files)
    imports = Imports(root)
    tests = [path for path in imports.sources.values() if path.is_relative_to(UNIT) and path.name.startswith("test_")]
    changed_modules = {_dotted(file) for file in files if file.suffix == ".py" and file.parts[0] in _SOURCES}
    own = own_tests(modules(root / "operator" / "boardroom"), (Path(test) for test in tests))
    named = [own[name.removeprefix("boardroom.")] for name in changed_modules if name.removeprefix("boardroom.") in own]
    chosen = {PurePosixPath(test) for own_of_one in named for test in own_of_one}
    chosen |= {test for test in tests if imports.reach(_dotted(test), changed_modules)}
    chosen |= {folder for file in files for folder in _folders(file) if (root / folder).is_dir()}
    return sorted(path for path in chosen if not any(parent in chosen for parent in path.parents))


class Imports:
    """Which modules of this repository its Python files import; a file is read when it is first asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root
        patterns = (f"{top}/*.py" for top in _SOURCES)
        listed = _git(root, "ls-files", "--cached", "--others", "--exclude-standard", *patterns)
        self.sources = {_dotted(path): path for path in map(PurePosixPath, listed) if (root / path).exists()}
        self._helpers = {name for name, path in self.sources.items() if path.parts[0] == "tests"}
        self._packages = {name for name, path in self.sources.items() if path.stem == "__init__"}
        self._read: dict[str, set[str]] = {}

    def reach(self, test: str, targets: set[str]) -> bool:
        """Whether a test is one of the targets or imports one: itself, through the tests' helpers, or by a package."""
        seen: set[str] = set()
        pending = [test]
        while pending:
            name = pending.pop()
            if name in targets:
                return True
            if name not in seen and (name in self._packages or name in self._helpers):
                seen.add(name)
                pending += self.of(name)
        return False

    def of(self, name: str) -> set[str]:
        """What one imports: modules, those that are gone among them, and names in them."""
        if name not in self._read:
            self._read[name] = set(self._find(name))
        return self._read[name]

    def _find(self, name: str) -> Iterator[str]:
        package = name if name in self._packages else name.rpartition(".")[0]
        for node in ast.walk(ast.parse((self._root / self.sources[name]).read_bytes())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                parents = package.split(".")[: -node.level + 1 or None] if node.level else []
                module = ".".join([*parents, *([node.module] if node.module else [])])
                yield module
                yield from (f"{module}.{alias.name}" for alias in node.names)


def _folders(file: PurePosixPath) -> Iterator[PurePosixPath]:
    """Folders of tests/unit that read a file which nobody imports."""
    if file.name == "conftest.py" and file.is_relative_to(UNIT):
        yield file.parent
    elif file.suffix == ".py" and file.parts[0] in _SOURCES:
        return
    elif file.parts[:2] == ("operator", "boardroom") and len(file.parts) > 3:
        yield UNIT / file.parts[2]
    elif file.is_relative_to(UNIT):
        yield file.parent
    else:
        yield from (UNIT / folder for folder in _READERS.get(file.parts[0], ("docs",)))


def _dotted(file: PurePosixPath) -> str:
    parts = file.relative_to(_SOURCES[file.parts[0]]).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _git(root: Path, *arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=root, text=True, capture_output=True, check=True)
    return done.stdout.splitlines()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.changed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", help="the commit to compare with, in place of where this branch left main")
    base = parser.parse_args().base or base_of(ROOT)
    files = changed(ROOT, base)
    tests = affected(ROOT, files)
    print(f"{len(files)} files differ from {base[:12]}; unit tests of them: {len(tests)}", file=sys.stderr)
    print(*tests, sep="\n", end="\n" if tests else "")


if __name__ == "__main__":
    main()
