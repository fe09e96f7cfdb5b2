from pathlib import Path

import pytest

from boardroom.adapters import server
from boardroom.coordinator.backends import backend
from boardroom.coordinator.board import sources
from component.coordinator.standing_board import ROLES, Board, agent


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """What changes on disk is known at once, where else it is looked for every second or three."""
    monkeypatch.setattr(sources, "FILE_SECONDS", 0.05)
    monkeypatch.setattr(backend, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(server, "RESCAN_SECONDS", 0.0)


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """Five members with adapters on disk."""
    found = Board(tmp_path)
    found.make_adapters(*ROLES)
    found.write(*(agent(role) for role in ROLES))
    return found
