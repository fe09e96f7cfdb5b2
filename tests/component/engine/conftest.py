import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from component.coordinator.standing_board import ROLES, Board

BOTH = ("test_address", "test_connection", "test_http", "test_pool")
"""Files whose tests run on both loops."""


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """Five adapters on disk."""
    found = Board(tmp_path)
    found.make_adapters(*ROLES)
    return found


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """What touches sockets itself is tried on both loops: tests run on the one, pods on the other."""
    both: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
        "asyncio": asyncio.SelectorEventLoop,
        "uvloop": uvloop.new_event_loop,
    }
    return both if item.path.name.startswith(BOTH) else {"asyncio": asyncio.SelectorEventLoop}
