"""The guard of tests/unit, on a folder of tests that has the same conftest.py."""

import os
import re
import subprocess
import sys

import pytest

from tools.layout import ROOT

HEAD = """
import asyncio, contextlib, os, socket, subprocess, sys, threading
import pytest
"""
PURE = {
    "a loop": "def test_it(): asyncio.run(asyncio.sleep(0))",
    "a loop of a coroutine": "async def test_it(): await asyncio.sleep(0)",
    "a socketpair": "def test_it(): [end.close() for end in socket.socketpair()]",
    "a thread": "def test_it(): asyncio.run(asyncio.to_thread(os.getpid))",
    "a module's socket": "socket.socket().close()\ndef test_it(): pass",  # collecting is no test
}
SWALLOWED = "with contextlib.suppress(Exception): socket.socket()"
IMPURE = {
    "a socket": ("def test_it(): socket.socket()", "opens a socket"),
    "a server": ("def test_it(): asyncio.run(asyncio.start_server(print, '127.0.0.1', 0))", "opens a socket"),
    "a file's socket": ("def test_it(tmp_path): socket.socket(socket.AF_UNIX).bind(str(tmp_path / 's'))", "opens a"),
    "a name": ("def test_it(): socket.getaddrinfo('localhost', 80)", "looks a host up"),
    "a process": ("def test_it(): subprocess.run([sys.executable, '-c', ''])", "starts a process"),
    "a fork": ("def test_it(): os.fork()", "starts a process"),
    "a shell": ("def test_it(): os.system('true')", "starts a process"),
    "an error that is swallowed": (f"def test_it():\n {SWALLOWED}", "opens a socket"),
    "another thread": (
        f"def run():\n {SWALLOWED}\ndef test_it(): it = threading.Thread(target=run); it.start(); it.join()",
        "opens a socket",
    ),
    "a module's fixture": (
        "@pytest.fixture(scope='module')\ndef server(): socket.socket()\ndef test_it(server): pass",
        "opens a socket",
    ),
    "a fixture's end": (
        "@pytest.fixture\ndef server():\n yield\n socket.socket()\ndef test_it(server): pass",
        "opens a socket",
    ),
}


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A line for each test, of one run of pytest over all of them."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "conftest.py").write_text((ROOT / "tests/unit/conftest.py").read_text(encoding="utf-8"))
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT / 'tests'}\nasyncio_mode = auto\n")
    for name, (test, _) in (IMPURE | {name: (test, "") for name, test in PURE.items()}).items():
        (folder / f"{_module(name)}.py").write_text(f"{HEAD}{test}\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "--tb=no", "-p", "no:cacheprovider"],
        check=False, cwd=folder, capture_output=True, text=True, env=os.environ | {"COLUMNS": "1000"},
    ).stdout  # fmt: skip


@pytest.mark.parametrize("name", PURE)
def test_what_is_pure_passes(summary: str, name: str) -> None:
    assert results(summary, name) == ["PASSED"]


@pytest.mark.parametrize("name", IMPURE)
def test_what_is_not_pure_fails_and_says_where_it_belongs(summary: str, name: str) -> None:
    [failure] = [result for result in results(summary, name) if result != "PASSED"]
    assert re.search(rf"ImpureTestError: {IMPURE[name][1]}.*tests/component/<room>/", failure), failure


def results(summary: str, name: str) -> list[str]:
    """What became of a test: PASSED, or the reason; of its end too, where that failed."""
    lines = re.findall(rf"^(PASSED|FAILED|ERROR) {_module(name)}\.py::test_it(?: - (.*))?$", summary, re.MULTILINE)
    return [reason or result for result, reason in lines]


def _module(name: str) -> str:
    return "test_" + re.sub(r"\W+", "_", name)
