"""Processes, as /proc shows them."""

import pytest

from boardroom.cluster import processes
from boardroom.cluster.processes import Process

STATUS = "Name:\tkubelet\nUmask:\t0022\nState:\tS (sleeping)\nPid:\t77\nPPid:\t12\nNSpid:\t77\t5\n"


@pytest.mark.parametrize(
    ("status", "cmdline", "expected"),
    [
        (STATUS, b"/bin/kubelet\0--config\0", Process(77, 12, "S", "kubelet", 5)),
        (STATUS, b"", Process(77, 12, "S", "kubelet", 5)),
        (
            STATUS.replace("NSpid:\t77\t5\n", "").replace("S (sleeping)", "Z (zombie)"),
            b"",
            Process(77, 12, "Z", "kubelet", 77),
        ),
        (
            STATUS,
            b"/cache/bin/kube-controller-manager\0",
            Process(77, 12, "S", "kube-controller-manager", 5),
        ),
    ],
)
def test_a_process_is_read_from_proc(status: str, cmdline: bytes, expected: Process) -> None:
    assert processes.parse(77, status, cmdline) == expected
