"""Each module of operator/ has a test file that its name leads to (tools/layout.py), or a line in held_elsewhere.py."""

import ast
from pathlib import Path, PurePosixPath

import pytest

from tools.layout import PACKAGE, ROOT, all_tests, modules, own_tests, owners
from unit.tools.held_elsewhere import ELSEWHERE

MODULES = modules()
OWN = own_tests(MODULES, all_tests())
NAMES = [
    "engine.pool",
    "http.peers",
    "http.sse.events",
    "plan.lorax",
    "plan.preload",
    "pool",
    "status.pods",
    "watch.pods",
]
"""Modules of the room `r`, without it."""


def test_every_module_has_a_test_file_that_its_name_leads_to_or_a_line_that_says_where_its_tests_are() -> None:
    assert [name for name in MODULES if not OWN[name] and name not in ELSEWHERE] == []


def test_no_line_is_of_a_module_that_is_gone_or_has_a_test_file_of_its_own() -> None:
    assert [name for name in ELSEWHERE if name not in OWN] == []
    assert {name: tests for name in ELSEWHERE if (tests := OWN.get(name))} == {}


def test_each_line_names_a_test_file() -> None:
    assert [test for test in ELSEWHERE.values() if not (ROOT / "tests" / test).is_file()] == []


def test_no_name_of_a_test_file_leads_to_several_modules() -> None:
    assert {str(test): named for test in all_tests() if len(named := owners(test, MODULES)) > 1} == {}


def test_an_init_only_names_what_its_folder_offers() -> None:
    other = {
        str(file.relative_to(ROOT)): type(node).__name__
        for file in PACKAGE.rglob("__init__.py")
        for node in ast.parse(file.read_bytes()).body
        if not isinstance(node, ast.Expr | ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign)
    }
    assert other == {}


@pytest.mark.parametrize(
    ("test", "modules_"),
    [
        ("tests/unit/r/test_preload.py", ["plan.preload"]),
        ("tests/unit/r/test_plan_preload_twice.py", ["plan.preload"]),
        ("tests/component/r/test_events.py", ["http.sse.events"]),
        ("tests/unit/r/test_http_sse_events.py", ["http.sse.events"]),
        ("tests/unit/r/test_pods.py", ["status.pods", "watch.pods"]),
        ("tests/unit/r/test_watch_pods.py", ["watch.pods"]),
        ("tests/unit/r/test_pool.py", ["engine.pool", "pool"]),
        ("tests/unit/r/test_preloaded.py", []),
        ("tests/unit/other/test_preload.py", []),
        ("tests/integration/test_r_plan_preload.py", ["plan.preload"]),
        ("tests/integration/test_preload.py", []),
    ],
)
def test_a_name_leads_to_the_modules_that_it_fits_longest(test: str, modules_: list[str]) -> None:
    assert owners(PurePosixPath(test), [f"r.{name}" for name in NAMES]) == [f"r.{name}" for name in modules_]


def test_a_module_of_no_room_is_named_in_any_folder() -> None:
    assert owners(PurePosixPath("tests/component/cli/test_entry.py"), ["entry"]) == ["entry"]


def test_a_file_whose_name_fits_two_modules_is_neithers_own() -> None:
    test = Path("tests/unit/r/test_pods.py")
    assert own_tests(["r.status.pods", "r.watch.pods"], [test]) == {"r.status.pods": [], "r.watch.pods": []}
    assert own_tests(["r.status.pods"], [test]) == {"r.status.pods": [test]}
