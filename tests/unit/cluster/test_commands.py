"""Command lines of the control plane."""

from pathlib import Path

import pytest

from boardroom.cluster import commands
from boardroom.cluster.commands import Endpoint, Ports

PORTS = Ports(api=6443, etcd=2379, peer=2380)
HERE = Path("/d")


def test_the_certificate_names_every_way_to_the_api_server() -> None:
    assert Endpoint(address="10.200.0.2", services="10.97.0.0/16").hosts() == [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "127.0.0.1",
        "10.200.0.2",
        "10.97.0.1",
    ]


def test_a_loopback_address_is_named_once() -> None:
    assert Endpoint().hosts().count("127.0.0.1") == 1


@pytest.mark.parametrize(("address", "expected"), [("127.0.0.1", "none"), ("10.200.0.2", "lease")])
def test_the_kubernetes_service_points_only_where_pods_reach(address: str, expected: str) -> None:
    flags = commands.apiserver(HERE, Endpoint(address=address), PORTS)
    assert [flag for flag in flags if "reconciler" in flag] == [f"--endpoint-reconciler-type={expected}"]


def test_the_api_server_serves_where_it_is_told() -> None:
    flags = commands.apiserver(HERE, Endpoint(address="10.200.0.2", services="10.97.0.0/16"), PORTS)
    assert {
        "--secure-port=6443",
        "--bind-address=10.200.0.2",
        "--advertise-address=10.200.0.2",
        "--service-cluster-ip-range=10.97.0.0/16",
        "--etcd-servers=http://127.0.0.1:2379",
    } <= set(flags)


@pytest.mark.parametrize("flags", [commands.controller_manager(HERE), commands.scheduler(HERE)])
def test_what_may_run_many_times_listens_on_nothing(flags: list[str]) -> None:
    assert "--secure-port=0" in flags


def test_etcd_listens_on_loopback_only() -> None:
    urls = [flag.split("=", 1)[1] for flag in commands.etcd(HERE, PORTS) if "-urls=" in flag]
    assert urls == ["http://127.0.0.1:2379", "http://127.0.0.1:2379", "http://127.0.0.1:2380"]
