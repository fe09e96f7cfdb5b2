from pathlib import Path

import pytest

from boardroom.cluster.debian import MissingProgramsError
from boardroom.cluster.unpacked import PROMTOOL, unpack


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus' own judge, from Debian's package."""
    try:
        return unpack(PROMTOOL)
    except MissingProgramsError as error:
        pytest.skip(f"promtool: {error}")
