"""How properties are searched: no example has to be quick, because the machine may be busy; and the same ones each
time, so that a commit's tests say something of the commit. `pytest --hypothesis-profile=search` looks for new ones.
"""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from boardroom.adapters.synthetic import Shape, make_one

settings.register_profile(
    "unhurried", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.register_profile("search", settings.get_profile("unhurried"), derandomize=False)
settings.load_profile("unhurried")


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """A directory with a real adapter of about 20 kB."""
    make_one(tmp_path / "ceo", "CEO", Shape())
    return tmp_path / "ceo"
