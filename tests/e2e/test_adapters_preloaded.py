"""adapterPolicy Preloaded on real pods: all are resident from the start, and a member that comes replaces the pod."""

from collections.abc import Iterator
from typing import Any

import pytest

from boardroom.simulator.model_server.signature import signature
from e2e.board_on_pods import MODEL, BoardOnPods, adapters_claim, board, member, namespace
from tools.waiting import until

pytestmark = pytest.mark.e2e

ROLES = ("CEO", "CFO", "CTO")


@pytest.fixture(scope="module")
def preloading(operator: BoardOnPods) -> Iterator[BoardOnPods]:
    """A board of two; the adapter of a third lies on the volume, and that of a fourth does not."""
    with namespace(operator, "preloading") as made:
        made.apply(*adapters_claim(ROLES))
        made.kubectl.run("wait", "job/fill-board-adapters", "--for=condition=Complete", "--timeout=120s")
        made.apply(board(made, adapterPolicy="Preloaded"), *(member(made, role) for role in ROLES[:2]))
        yield made


def listed(board_: BoardOnPods) -> list[str]:
    """What LoRAX's flags say."""
    pods = board_.pods("lorax")
    words: list[str] = next(
        (c["args"] for pod in pods[:1] for c in pod["spec"]["containers"] if c["name"] == "lorax"), []
    )
    return [words[at + 1] for at, word in enumerate(words) if word == "--preloaded-adapter-ids"]


def spoke(board_: BoardOnPods) -> list[str]:
    answer: dict[str, Any] = board_.ask().raise_for_status().json()
    answered = [one for one in answer["answers"] if one["status"] == "answered"]
    for one in answered:
        assert signature(board_.salt, MODEL, one["adapter"]["path"], one["adapter"]["digest"]) in one["text"]
    return sorted(one["role"] for one in answered)


def wait(board_: BoardOnPods, *roles: str) -> None:
    """Until LoRAX has started with the adapters of these, and each has been proved since."""
    paths = [f"/models/{role.lower()}_lora_adapter" for role in roles]
    until(f"LoRAX is to load {paths}", lambda: listed(board_) == paths, 180)
    board_.kubectl.run("rollout", "status", f"deployment/{board_.name}-lorax", "--timeout=180s")
    board_.wait_ready()
    board_.wait_members(f"{len(roles)}/{len(roles)}")


def test_all_members_adapters_are_loaded_when_lorax_starts(preloading: BoardOnPods) -> None:
    wait(preloading, "CEO", "CFO")
    assert spoke(preloading) == ["CEO", "CFO"]


def test_a_member_without_files_is_absent_and_lorax_goes_on(preloading: BoardOnPods) -> None:
    pod = preloading.lorax_pod()
    preloading.apply(member(preloading, "CLO"))
    until(
        "its adapter is missed",
        lambda: preloading.condition("AdapterReady", "boardagent", "clo")["reason"] == "AdapterMissing",
    )
    assert spoke(preloading) == ["CEO", "CFO"]
    assert preloading.lorax_pod() == pod
    preloading.kubectl.run("delete", "boardagent", "clo")


def test_a_member_that_comes_replaces_the_pod_and_an_event_says_why(preloading: BoardOnPods) -> None:
    uid, _ = preloading.lorax_pod()
    preloading.apply(member(preloading, "CTO"))
    wait(preloading, "CEO", "CFO", "CTO")
    assert preloading.lorax_pod()[0] != uid
    assert spoke(preloading) == ["CEO", "CFO", "CTO"]
    events = preloading.kubectl.get("events", None, "--field-selector=reason=AdaptersPreloaded")["items"]
    assert [e["message"] for e in events if "added: /models/cto_lora_adapter" in e["message"]] != []
