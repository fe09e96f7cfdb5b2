"""A unit test that opens a socket or starts a process fails, in a fixture of any scope too (tools/purity.py)."""

from collections.abc import Generator

import pytest

from tools.purity import Guard

_GUARD = Guard()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    with _GUARD.watching():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    with _GUARD.watching():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None]:
    with _GUARD.watching():
        return (yield)
