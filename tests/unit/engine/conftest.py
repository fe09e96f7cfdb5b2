from pathlib import Path

import pytest

from unit.coordinator.standing_board import ROLES, Board


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """Five adapters on disk."""
    found = Board(tmp_path)
    found.make_adapters(*ROLES)
    return found
