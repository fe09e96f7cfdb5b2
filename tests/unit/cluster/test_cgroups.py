"""Control groups of either version."""

from pathlib import Path

import pytest

from boardroom.cluster import cgroups


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
