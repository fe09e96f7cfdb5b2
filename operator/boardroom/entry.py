"""Where the commands begin: a container that is told to end while it still starts ends.

In a container the command is process 1, and to that one the kernel delivers no SIGTERM for which it has no handler. The
parts that stop gracefully put theirs in place once they are imported, which takes seconds on a busy node: a pod that is
deleted before that would live until its grace period is over.
"""

import os
import signal
from typing import Final

_TERMINATED: Final = 128 + signal.SIGTERM


def boardroom() -> None:
    """`boardroom`."""
    end_when_told()
    from boardroom.cli.main import main  # noqa: PLC0415 (imported once SIGTERM is heeded)

    main()


def kubectl_boardroom() -> None:
    """`kubectl-boardroom`."""
    from boardroom.cli.main import kubectl  # noqa: PLC0415 (a plugin does not wait for the simulator)

    kubectl()


def lorax_launcher() -> None:
    """`lorax-launcher`."""
    end_when_told()
    from boardroom.simulator.launcher.main import main  # noqa: PLC0415 (imported once SIGTERM is heeded)

    main()


def end_when_told() -> None:
    """As any other process does by itself, until a part that stops gracefully takes the signal over."""
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(_TERMINATED))
