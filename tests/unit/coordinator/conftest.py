from pathlib import Path

import pytest

from unit.coordinator.standing_board import ROLES, Board, agent


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """Five members with adapters on disk."""
    found = Board(tmp_path)
    found.make_adapters(*ROLES)
    found.write(*(agent(role) for role in ROLES))
    return found
