"""Which test files are a module's own, by their names.

`boardroom/<room>/<folders>/<module>.py` has its tests in `tests/unit/<room>/` or `tests/component/<room>/`, in a file
`test_<module>.py`, or `test_<folder>_<module>.py` where the shorter name fits a second module of the room. Words may
follow: `test_<module>_<aspect>.py`. `tests/integration/` is one folder, so a name there begins with the room:
`test_<room>_<module>.py`.
"""

from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "operator" / "boardroom"


def modules(package: Path = PACKAGE) -> list[str]:
    """Modules with code, dotted and without the package's own name; an `__init__` only names what its folder offers."""
    files = (file.relative_to(package) for file in package.rglob("*.py") if file.stem != "__init__")
    return sorted(".".join(file.with_suffix("").parts) for file in files)


def all_tests(root: Path = ROOT) -> list[Path]:
    """Test files whose names can belong to a module, relative to `root`."""
    folders = (root / "tests" / level for level in ("unit", "component", "integration"))
    return sorted(file.relative_to(root) for folder in folders for file in folder.rglob("test_*.py"))


def owners(test: PurePath, names: Iterable[str]) -> list[str]:
    """The modules that a test file is named after: those with the longest fit, several if the name is unclear."""
    level, *folders = test.parts[1:-1]
    words = test.stem.split("_")[1:]
    fits: dict[int, list[str]] = {}
    for name in names:
        parts = name.split(".")
        least = len(parts) if level == "integration" else 1
        if level != "integration" and len(parts) > 1 and parts[0] != folders[0]:
            continue
        for count in range(least, len(parts) + 1):
            suffix = "_".join(parts[-count:]).split("_")
            if words[: len(suffix)] == suffix:
                fits.setdefault(len(suffix), []).append(name)
    return fits[max(fits)] if fits else []


def own_tests(names: Iterable[str], tests: Iterable[Path]) -> dict[str, list[Path]]:
    """Each module's own test files. A file whose name fits several modules belongs to none of them."""
    names = list(names)
    own: dict[str, list[Path]] = {name: [] for name in names}
    for test in tests:
        fit = owners(test, names)
        if len(fit) == 1:
            own[fit[0]].append(test)
    return own
