"""What is read of the machine: processes, control groups, firewall rules."""

from pathlib import Path

import pytest

from boardroom.cluster import cgroups, host, processes
from boardroom.cluster.addresses import Addresses
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


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\nproc /proc proc rw 0 0\n", ["/sys/fs/cgroup"]),
        (
            (
                "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"
                "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
            ),
            ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/unified"],
        ),
    ],
)
def test_control_groups_of_either_version_are_found(mounts: str, expected: list[str]) -> None:
    assert cgroups.hierarchies(mounts) == [Path(place) for place in expected]


SAVED = """\
*filter
:FORWARD ACCEPT [0:0]
-A FORWARD -i boardroom0 -m comment --comment boardroom0 -j ACCEPT
-A FORWARD -i boardroom1 -m comment --comment boardroom1 -j ACCEPT
-A FORWARD -m comment --comment "boardroom of directors" -j ACCEPT
-A FORWARD -i docker0 -j ACCEPT
COMMIT
"""


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ({"lo", "boardroom0", "boardroom1"}, []),
        ({"lo", "boardroom1"}, ["-D FORWARD -i boardroom0 -m comment --comment boardroom0 -j ACCEPT"]),
        (
            {"lo"},
            [
                "-D FORWARD -i boardroom0 -m comment --comment boardroom0 -j ACCEPT",
                "-D FORWARD -i boardroom1 -m comment --comment boardroom1 -j ACCEPT",
            ],
        ),
    ],
)
def test_rules_of_nodes_that_are_gone_are_deleted_and_no_others(present: set[str], expected: list[str]) -> None:
    assert [" ".join(rule) for rule in host.orphaned(SAVED, present)] == expected


def test_every_rule_of_ours_would_be_found_again() -> None:
    saved = "\n".join(" ".join(["-A", *rule[1:]]) for _, rule in host.rules(Addresses(5)))
    assert len(host.orphaned(saved, set())) == len(host.rules(Addresses(5)))
