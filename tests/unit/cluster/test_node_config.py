"""Configuration of a native node's parts."""

import tomllib
from pathlib import Path

import pytest

from boardroom.cluster import node_config
from boardroom.cluster.addresses import Addresses

OURS = Addresses(3)


@pytest.mark.parametrize(("may_raise", "restricted"), [(True, False), (False, True)])
def test_oom_scores_are_restricted_where_the_kernel_would_refuse(may_raise: bool, restricted: bool) -> None:
    config = tomllib.loads(
        node_config.containerd(
            runc=Path("/usr/sbin/runc"), cni_plugins=Path("/usr/lib/cni"), may_raise_priority=may_raise
        )
    )
    assert config["plugins"]["io.containerd.cri.v1.runtime"]["restrict_oom_score_adj"] is restricted


def test_containerd_uses_the_systems_runc_and_plugins() -> None:
    config = tomllib.loads(
        node_config.containerd(runc=Path("/r/runc"), cni_plugins=Path("/c"), may_raise_priority=True)
    )
    runtime = config["plugins"]["io.containerd.cri.v1.runtime"]
    assert runtime["cni"]["bin_dirs"] == ["/c"]
    assert runtime["containerd"]["runtimes"]["runc"]["options"]["BinaryName"] == "/r/runc"


def test_the_socket_fits_a_unix_address_wherever_the_state_is() -> None:
    assert len(str(node_config.SOCKET).encode()) < 108


def test_pods_get_addresses_of_the_nodes_own_range() -> None:
    network = node_config.pod_network(OURS)["plugins"][0]
    assert network["ipam"]["ranges"] == [[{"subnet": "10.244.3.0/24"}]]


def test_the_kubelet_hands_out_the_nodes_dns_and_keeps_to_its_cgroup() -> None:
    config = node_config.kubelet(OURS, pki=Path("/p"), cgroup="/boardroom3")
    assert (config["clusterDNS"], config["cgroupRoot"]) == (["10.200.3.2"], "/boardroom3")


@pytest.mark.parametrize(("upstream", "forwarded"), [(["192.0.2.53"], ["    forward . 192.0.2.53"]), ([], [])])
def test_other_names_are_asked_upstream_where_there_is_one(upstream: list[str], forwarded: list[str]) -> None:
    lines = node_config.corefile(OURS, upstream).splitlines()
    assert [line for line in lines if "forward" in line] == forwarded


def test_the_corefile_closes_what_it_opens() -> None:
    text = node_config.corefile(OURS, ["192.0.2.53"])
    assert text.count("{") == text.count("}")


def test_dns_listens_on_the_nodes_address() -> None:
    assert "    bind 10.200.3.2" in node_config.corefile(OURS, []).splitlines()
