"""Addresses of a native node."""

import pytest

from boardroom.cluster.addresses import Addresses, choose, upstream_dns


@pytest.mark.parametrize(
    ("routed", "expected"),
    [
        ([], 0),
        (["default", "192.0.2.0/24"], 0),
        (["10.200.0.0/30", "10.244.0.0/24", "10.96.0.0/16"], 1),
        (["10.244.1.7", "10.96.0.0/16"], 2),
        (["10.200.0.0/24", "10.96.0.0/13"], 8),
    ],
)
def test_a_node_takes_the_first_number_whose_networks_are_free(routed: list[str], expected: int) -> None:
    assert choose(routed) == Addresses(expected)


def test_a_machine_that_routes_all_of_ten_has_no_room() -> None:
    with pytest.raises(LookupError, match="routed elsewhere"):
        choose(["10.0.0.0/8"])


def test_networks_of_two_nodes_do_not_touch() -> None:
    assert choose(Addresses(0).networks()) == Addresses(1)


def test_the_longest_interface_name_fits_the_kernel() -> None:
    assert len(Addresses(63).host_interface) <= 15


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["nameserver 192.0.2.53\n"], ["192.0.2.53"]),
        (["# none\nsearch example.org\n"], []),
        (["nameserver 127.0.0.53\n", "nameserver 192.0.2.1\nnameserver 192.0.2.2\n"], ["192.0.2.1", "192.0.2.2"]),
        (["nameserver 127.0.0.53\nnameserver 192.0.2.9\n", "nameserver 192.0.2.1\n"], ["192.0.2.9"]),
        (["nameserver fe80::1%eth0\n"], []),
        ([], []),
    ],
)
def test_only_name_servers_beyond_loopback_serve_a_node(texts: list[str], expected: list[str]) -> None:
    assert upstream_dns(texts) == expected
