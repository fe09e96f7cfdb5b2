"""The entry points of the commands. They handle SIGTERM before anything else is imported.

In a container the command is process 1, to which the kernel delivers no SIGTERM without a handler. The servers install
theirs after their imports, which take seconds on a busy node. Without this module a pod that is deleted before that
would live until the end of its grace period.
"""

import os
import signal
from typing import Final

_TERMINATED: Final = 128 + signal.SIGTERM


def boardroom() -> None:
    """`boardroom`."""
    exit_on_sigterm()
    from boardroom.cli.main import main  # noqa: PLC0415 (imported once SIGTERM is handled)

    main()


def kubectl_boardroom() -> None:
    """`kubectl-boardroom`."""
    from boardroom.cli.main import kubectl  # noqa: PLC0415 (a plugin does not wait for the simulator)

    kubectl()


def lorax_launcher() -> None:
    """`lorax-launcher`."""
    exit_on_sigterm()
    from boardroom.simulator.launcher.main import main  # noqa: PLC0415 (imported once SIGTERM is handled)

    main()


def exit_on_sigterm() -> None:
    """Exit on SIGTERM as process 1, until a server installs its own handler."""
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(_TERMINATED))
