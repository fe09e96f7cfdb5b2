"""What the project claims about speed, measured: `make bench`. Nothing here is a test of time."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "bench" / "results"
