"""The main job on real pods: YAML in, five attributed answers out, LoRAX's health in the status."""

import os
from pathlib import Path

import pytest

from boardroom.simulator.model_server.signature import signature
from e2e.board_on_pods import MODEL, QUESTION, ROLES, BoardOnPods, member, run
from tools.waiting import until

pytestmark = pytest.mark.e2e


def test_every_answer_has_the_signature_of_its_member(executive: BoardOnPods) -> None:
    """The signature is an HMAC over base model, adapter and weights, with a key that the product never sees."""
    answer = executive.ask().raise_for_status().json()
    assert [a["role"] for a in answer["answers"]] == sorted(ROLES)
    for member_answer in answer["answers"]:
        path = f"/models/{member_answer['role'].lower()}_lora_adapter"
        assert member_answer["status"] == "answered"
        assert member_answer["engine"] == "lorax"
        assert member_answer["adapter"]["path"] == path
        expected = signature(executive.salt, MODEL, path, member_answer["adapter"]["digest"])
        assert expected in member_answer["text"]
    assert answer["used_lorax"] is True
    assert answer["batch"]["size"] == 5


def test_five_members_share_decode_steps_on_the_one_gpu(executive: BoardOnPods) -> None:
    with executive.lorax() as lorax:
        since = max((step["id"] for step in lorax.get("/simulator/steps").json()["steps"]), default=0)
        answer = executive.ask().raise_for_status().json()
        steps = lorax.get("/simulator/steps", params={"since": since}).json()["steps"]
    asked = {f"{answer['request_id']}.{role.lower()}" for role in ROLES}
    together = [step for step in steps if asked <= {request["request_id"] for request in step["requests"]}]
    assert [step for step in together if step["kind"] == "decode"] != []


def test_sequential_members_never_share_a_step(executive: BoardOnPods) -> None:
    with executive.lorax() as lorax:
        since = max((step["id"] for step in lorax.get("/simulator/steps").json()["steps"]), default=0)
        answer = executive.ask(coordination_mode="sequential").raise_for_status().json()
        steps = lorax.get("/simulator/steps", params={"since": since}).json()["steps"]
    asked = {f"{answer['request_id']}.{role.lower()}" for role in ROLES}
    sizes = {len(asked & {request["request_id"] for request in step["requests"]}) for step in steps}
    assert sizes <= {0, 1}
    assert answer["batch"] is None


def test_the_health_of_lorax_stands_in_the_status(executive: BoardOnPods) -> None:
    executive.ask().raise_for_status()

    def observed() -> bool:
        lorax = executive.get("boardroom", executive.name)["status"].get("lorax", {})
        return lorax.get("metrics", {}).get("averageLatencyMs") is not None

    until("status.lorax has the questions' latency", observed)
    lorax = executive.get("boardroom", executive.name)["status"]["lorax"]
    assert (lorax["running"], lorax["totalAdapters"], lorax["loadedAdapters"]) == (True, 5, 5)
    assert lorax["metrics"]["totalRequests"] >= 5
    assert lorax["effective"]["adapterCacheSize"] == 100
    with executive.coordinator() as client:
        health = client.get("/v1/health").raise_for_status().json()["system_health"]["lorax"]
    assert (health["running"], health["total_adapters"], health["loaded_adapters"]) == (True, 5, 5)


def test_the_commands_for_people_work_against_the_cluster(executive: BoardOnPods, boardroom: str) -> None:
    where = ["-n", executive.namespace, "--kubeconfig", str(executive.kubectl.kubeconfig)]
    asked = run(boardroom, "ask", executive.name, QUESTION, "--agents", "ceo,CFO", *where)
    assert (asked.returncode, asked.stderr) == (0, "")
    assert "2 of 2 members answered" in asked.stdout
    shown = run(boardroom, "status", executive.name, *where)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"model {MODEL}" in shown.stdout


def test_the_commands_work_as_a_kubectl_plugin(executive: BoardOnPods, boardroom: str) -> None:
    where = ["-n", executive.namespace, "--kubeconfig", str(executive.kubectl.kubeconfig)]
    path = f"{Path(boardroom).parent}:{os.environ['PATH']}"
    listed = run(
        executive.kubectl.program, "boardroom", "agents", executive.name, *where, env=os.environ | {"PATH": path}
    )
    assert (listed.returncode, listed.stderr) == (0, "")
    assert [line.split()[:2] for line in listed.stdout.splitlines()[1:]] == [[r.lower(), r] for r in sorted(ROLES)]


def test_an_unknown_member_is_named_with_those_that_exist(executive: BoardOnPods) -> None:
    response = executive.ask(agents=["ceo", "janitor"])
    assert response.status_code == 404
    message = response.json()["error"]["message"]
    assert "janitor" in message
    assert all(role.lower() in message for role in ROLES)


def test_a_sixth_member_without_files_is_a_named_absence_with_its_cause(executive: BoardOnPods) -> None:
    executive.apply(member(executive, "CLO"))
    try:
        until("clo is refused", lambda: executive.condition("AdapterReady", "boardagent", "clo")["status"] == "False")
        refused = executive.condition("AdapterReady", "boardagent", "clo")
        assert refused["reason"] == "AdapterMissing"
        assert executive.condition("Ready")["status"] == "True"
        answer = executive.ask().raise_for_status().json()
        clo = next(a for a in answer["answers"] if a["role"] == "CLO")
        assert (len(answer["agents_involved"]), clo["status"], clo["text"]) == (5, "absent", None)
        assert "/models/clo_lora_adapter: no such directory on the adapters volume" in clo["reason"]
        executive.wait_members("5/6")
    finally:
        executive.kubectl.run("delete", "boardagent", "clo")
    executive.wait_members("5/5")


def test_members_come_and_go_without_a_restart_of_lorax(executive: BoardOnPods) -> None:
    before = executive.lorax_pod()
    executive.kubectl.run("delete", "boardagent", "cmo")
    executive.wait_members("4/4")
    assert executive.ask().json()["agents_involved"] == ["ceo", "cfo", "coo", "cto"]
    executive.apply(member(executive, "CMO"))
    executive.wait_members("5/5")
    assert len(executive.ask().json()["agents_involved"]) == 5
    assert executive.lorax_pod() == before


def test_a_second_agent_of_the_same_role_gets_no_seat(executive: BoardOnPods) -> None:
    twin = member(executive, "ceo")
    twin["metadata"]["name"] = "second-ceo"
    executive.apply(twin)
    try:
        until("it is refused", lambda: executive.condition("Accepted", "boardagent", "second-ceo")["status"] == "False")
        assert executive.condition("Accepted", "boardagent", "second-ceo")["reason"] == "DuplicateRole"
        assert len(executive.ask().json()["agents_involved"]) == 5
    finally:
        executive.kubectl.run("delete", "boardagent", "second-ceo")
