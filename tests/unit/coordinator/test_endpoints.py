"""LoRAX servers as EndpointSlices name them."""

from typing import Any

from boardroom.coordinator.backends.endpoints import Endpoint, addresses, endpoints

PORTS = [{"name": "lorax", "port": 8080}, {"name": "adapters", "port": 8082}]


def piece(*found: dict[str, Any], name: str = "s1", **what: Any) -> dict[str, Any]:
    usual = {"metadata": {"name": name}, "addressType": "IPv4", "ports": PORTS, "endpoints": list(found)}
    return usual | what


def pod(address: str, name: str, **conditions: bool) -> dict[str, Any]:
    target = {"kind": "Pod", "name": name, "uid": f"uid-{name}"}
    return {"addresses": [address], "targetRef": target, "conditions": {"ready": True, **conditions}}


def test_every_pod_is_a_server_with_its_sidecar() -> None:
    assert endpoints([piece(pod("10.0.0.2", "b"), pod("10.0.0.1", "a"))]) == (
        Endpoint(key="uid-a@10.0.0.1:8080", name="a", url="http://10.0.0.1:8080", adapters_url="http://10.0.0.1:8082"),
        Endpoint(key="uid-b@10.0.0.2:8080", name="b", url="http://10.0.0.2:8080", adapters_url="http://10.0.0.2:8082"),
    )


def test_a_pod_that_is_being_ended_is_said_to_leave() -> None:
    (server,) = endpoints([piece(pod("10.0.0.1", "a", serving=True, terminating=True))])
    assert server.leaving


def test_pods_of_several_slices_are_servers_of_one_service() -> None:
    found = endpoints([piece(pod("10.0.0.1", "a")), piece(pod("10.0.0.2", "b"), name="s2")])
    assert [server.name for server in found] == ["a", "b"]


def test_a_new_sandbox_of_the_same_pod_is_another_server() -> None:
    before, after = (endpoints([piece(pod(address, "a"))])[0].key for address in ("10.0.0.1", "10.0.0.9"))
    assert before != after


def test_a_pod_with_addresses_of_both_families_is_one_server() -> None:
    six = piece(pod("fd00::1", "a"), addressType="IPv6", name="s0")
    assert [server.url for server in endpoints([six, piece(pod("10.0.0.1", "a"))])] == ["http://10.0.0.1:8080"]


def test_an_address_without_a_pod_is_named_by_itself() -> None:
    (server,) = endpoints([piece({"addresses": ["10.0.0.1"]})])
    assert (server.name, server.leaving) == ("10.0.0.1", False)


def test_an_ipv6_address_is_written_as_urls_want_it() -> None:
    (server,) = endpoints([piece(pod("fd00::1", "a"), addressType="IPv6")])
    assert server.url == "http://[fd00::1]:8080"


def test_slices_without_loraxs_port_or_with_names_hold_no_server() -> None:
    assert endpoints([piece(pod("10.0.0.1", "a"), ports=[]), piece(pod("x.example", "a"), addressType="FQDN")]) == ()


def test_empty_slices_hold_nothing() -> None:
    assert endpoints([piece(endpoints=None, ports=None)]) == ()


def test_the_addresses_of_all() -> None:
    slices = [piece(pod("10.0.0.1", "a")), piece(pod("10.0.0.2", "b"), name="s2"), piece(endpoints=None)]
    assert addresses(slices) == {"10.0.0.1", "10.0.0.2"}
