"""What keeps LoRAX from coming up on a real node: the board says it with the remedy, and the remedy helps."""

from collections.abc import Iterator
from typing import Any

import pytest

from boardroom.cli.kubectl import Kubectl
from e2e.board_on_pods import BoardOnPods, board, member
from tools.waiting import until

pytestmark = pytest.mark.e2e

TROUBLES: dict[str, tuple[dict[str, Any], str, str, str]] = {
    # what is wrong in spec.lorax: reason of LoraxReady, what its message says, whether it waits for somebody
    "memory": (
        {"resources": {"limits": {"memory": "10Mi"}, "requests": {"memory": "10Mi"}}},
        "OutOfMemory",
        "raise spec.lorax.resources.limits.memory",
        "False",
    ),
    "flag": (
        {"extraArgs": ["--no-such-flag"]},
        "CrashLoop",
        "ended with exit code 2 and is restarted with growing delay: see `kubectl logs",
        "False",
    ),
    "image": (
        {"image": "localhost/no-such-lorax:1"},
        "ImagePullFailed",
        "image localhost/no-such-lorax:1 of container lorax can't be pulled: check spec.lorax.image",
        "True",
    ),
}


@pytest.fixture(scope="module")
def boards(operator: BoardOnPods) -> Iterator[dict[str, BoardOnPods]]:
    """A board for each trouble, all at once, in one namespace."""
    kube = operator.kubectl
    kubectl = Kubectl(program=kube.program, kubeconfig=kube.kubeconfig, namespace="troubles")
    kubectl.run("create", "namespace", "troubles")
    found = {name: BoardOnPods(kubectl, name=name) for name in TROUBLES}
    for name, (lorax, _, _, _) in TROUBLES.items():
        ceo = member(found[name], "CEO", adapter={"none": True})
        ceo["metadata"]["name"] = f"{name}-ceo"
        found[name].apply(plain(found[name], **lorax), ceo)
    yield found
    kubectl.run("delete", "boardagents,boardrooms", "--all", "--cascade=foreground")
    kubectl.run("delete", "namespace", "troubles", "--timeout=120s")


def plain(board_: BoardOnPods, **lorax: Any) -> dict[str, Any]:
    """A board without a volume: the base model speaks."""
    found = board(board_, **lorax)
    del found["spec"]["adapters"]
    return found


@pytest.mark.parametrize("name", TROUBLES)
def test_the_cause_is_said_with_its_remedy_which_helps(boards: dict[str, BoardOnPods], name: str) -> None:
    _, reason, remedy, stalled = TROUBLES[name]
    board_ = boards[name]

    def said() -> bool:
        found = board_.condition("LoraxReady")
        return found["reason"] == reason and board_.condition("Stalled")["status"] == stalled

    until(f"LoraxReady says {reason}", said)
    assert remedy in board_.condition("LoraxReady")["message"]
    assert board_.condition("Ready")["reason"] == f"Lorax{reason}"
    board_.apply(plain(board_))
    board_.wait_ready()
    told = board_.kubectl.get("events", None)["items"]
    assert reason in {e["reason"].removeprefix("Lorax") for e in told if e["involvedObject"]["name"] == name}
