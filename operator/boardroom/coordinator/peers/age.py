"""How long this process has run, imports included. A former process of its pod ended before that."""

import os
import time
from pathlib import Path
from typing import Final

_STAT: Final = Path("/proc/self/stat")
_START_TIME: Final = 19
"""The index, after the command's name, of the ticks from the machine's start to the process's."""


def process_age() -> float:
    """Seconds, to a hundredth; 0 without a Linux kernel that tells."""
    try:
        ticks = int(_STAT.read_text(encoding="utf-8").rpartition(")")[2].split()[_START_TIME])
    except OSError:
        return 0.0
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
