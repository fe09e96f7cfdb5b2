"""Which unit tests are those of a change, in a repository that each test makes."""

import os
import subprocess
from pathlib import Path

import pytest

from tools.changed import affected, base_of, changed

FILES = {
    "operator/boardroom/room/__init__.py": "from boardroom.room.offered import offer\n",
    "operator/boardroom/room/offered.py": "",
    "operator/boardroom/room/inner/part.py": "",
    "operator/boardroom/room/used.py": "from . import offered\n",
    "operator/boardroom/room/table.toml": "",
    "bench/tool.py": "",
    "docs/page.md": "",
    "charts/values.yaml": "",
    "tests/unit/conftest.py": "",
    "tests/unit/room/helper.py": "import boardroom.room.used\n",
    "tests/unit/room/test_part.py": "",
    "tests/unit/room/test_inner_part_twice.py": "",
    "tests/unit/room/test_by_import.py": "from boardroom.room.inner import part\n",
    "tests/unit/room/test_by_helper.py": "from unit.room.helper import x\n",
    "tests/unit/room/test_by_package.py": "from boardroom.room import offer\n",
    "tests/unit/room/rows.json": "",
    "tests/unit/bench/test_tool.py": "from bench import tool\n",
    "tests/unit/docs/test_pages.py": "",
    "tests/unit/charts/test_values.py": "",
    "tests/component/room/test_part.py": "from boardroom.room.inner import part\n",
}


def git(root: Path, *arguments: str) -> str:
    who = {f"GIT_{role}_{key}": "x" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    command = ["git", "-c", "init.defaultBranch=main", *arguments]
    return subprocess.run(
        command, cwd=root, env=os.environ | who | own, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    return tmp_path


def commit(root: Path) -> str:
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", "x")
    return git(root, "rev-parse", "HEAD")


def of(root: Path, *names: str) -> list[str]:
    """The tests of files that change, without the folder that all of them are in."""
    for name in names:
        (root / name).write_text("x = 1\n")
    return [test.as_posix().removeprefix("tests/unit/") for test in affected(root, changed(root, "HEAD"))]


@pytest.mark.parametrize(
    ("file", "tests"),
    [
        (
            "operator/boardroom/room/inner/part.py",
            ["room/test_by_import.py", "room/test_inner_part_twice.py", "room/test_part.py"],
        ),
        ("operator/boardroom/room/used.py", ["room/test_by_helper.py"]),
        (
            "operator/boardroom/room/offered.py",
            ["room/test_by_package.py"],
        ),
        ("operator/boardroom/room/table.toml", ["room"]),
        ("bench/tool.py", ["bench/test_tool.py"]),
        ("docs/page.md", ["docs"]),
        ("README.md", ["docs"]),
        ("charts/values.yaml", ["charts"]),
        ("tests/unit/room/helper.py", ["room/test_by_helper.py"]),
        ("tests/unit/room/rows.json", ["room"]),
        ("tests/unit/room/conftest.py", ["room"]),
        ("tests/unit/conftest.py", ["tests/unit"]),
        ("tests/unit/room/test_part.py", ["room/test_part.py"]),
        ("tests/component/room/test_part.py", []),
    ],
)
def test_a_file_has_the_tests(root: Path, file: str, tests: list[str]) -> None:
    assert of(root, file) == tests


def test_nothing_changed_has_no_tests(root: Path) -> None:
    assert of(root) == []


def test_a_folder_stands_for_the_tests_in_it(root: Path) -> None:
    assert of(root, "operator/boardroom/room/table.toml", "operator/boardroom/room/inner/part.py") == ["room"]


def test_a_module_that_is_gone_has_the_tests_that_still_import_it(root: Path) -> None:
    (root / "operator/boardroom/room/inner/part.py").unlink()
    assert of(root) == ["room/test_by_import.py"]


def test_on_a_branch_everything_since_it_left_main_has_changed(root: Path) -> None:
    fork = git(root, "rev-parse", "HEAD")
    git(root, "switch", "-q", "-c", "branch")
    (root / "docs/page.md").write_text("x")
    commit(root)
    (root / "new.md").write_text("x")
    assert (base_of(root), {str(file) for file in changed(root, fork)}) == (fork, {"docs/page.md", "new.md"})


def test_on_main_the_working_tree_has_changed_and_else_the_last_commit(root: Path) -> None:
    commit(root)
    (root / "docs/page.md").write_text("x")
    dirty = base_of(root)
    commit(root)
    assert (dirty, base_of(root)) == ("HEAD", "HEAD~1")


def test_before_the_first_commit_of_all_is_nothing_to_compare_with(root: Path) -> None:
    assert base_of(root) == "HEAD"
