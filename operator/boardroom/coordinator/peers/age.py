"""How long this process has run, imports included: by then a former one of its pod has ended."""

import os
import time
from pathlib import Path
from typing import Final

_STAT: Final = Path("/proc/self/stat")
_START_TIME: Final = 19
"""Of the fields after the command's name: ticks from the machine's start to the process's."""


def process_age() -> float:
    """Seconds, to a hundredth; 0 where no Linux kernel says so."""
    try:
        ticks = int(_STAT.read_text(encoding="utf-8").rpartition(")")[2].split()[_START_TIME])
    except OSError:
        return 0.0
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
