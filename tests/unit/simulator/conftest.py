from pathlib import Path

import pytest

from boardroom.adapters.synthetic import Shape, make


@pytest.fixture
def ceo(tmp_path: Path) -> Path:
    """The CEO's adapter."""
    make(tmp_path, ["ceo"], Shape())
    return tmp_path / "ceo_lora_adapter"
