"""What is read of the machine: processes, control groups, firewall rules."""

import pytest

from boardroom.cluster import host
from boardroom.cluster.addresses import Addresses

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
