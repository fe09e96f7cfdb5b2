"""A container that is told to end while it still starts ends, though the kernel tells process 1 of no such signal."""

import os
import signal
import subprocess
import sys

import pytest

WAITS = "print('imports', flush=True); import time; time.sleep(60)"


@pytest.mark.skipif(os.geteuid() != 0, reason="a PID namespace needs root")
def test_process_1_ends_while_it_still_imports() -> None:
    script = f"from boardroom.entry import exit_on_sigterm; exit_on_sigterm(); {WAITS}"
    command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as unshare:
        assert unshare.stdout is not None
        assert unshare.stdout.readline() == "imports\n"
        (first,) = children(unshare.pid)
        os.kill(first, signal.SIGTERM)
        assert unshare.wait(30) == 128 + signal.SIGTERM


def test_another_process_needs_no_handler() -> None:
    script = "from boardroom.entry import exit_on_sigterm; import signal; exit_on_sigterm(); "
    told = subprocess.run(
        [sys.executable, "-c", f"{script}print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)"],
        text=True,
        capture_output=True,
        check=True,
    ).stdout
    assert told == "True\n"


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:  # noqa: PTH123 (procfs)
        return [int(word) for word in file.read().split()]
