"""Several boards, and the end of one."""

from collections.abc import Callable

import pytest

from e2e.board_on_pods import BoardOnPods
from tools.waiting import until

pytestmark = pytest.mark.e2e

OWNED = (
    "deployments,services,networkpolicies,serviceaccounts,roles,rolebindings,persistentvolumeclaims,pods,"
    "boardrooms,boardagents"
)


def test_two_boards_dont_touch_each_other_and_a_deleted_one_leaves_nothing(
    executive: BoardOnPods, new_board: Callable[[str], BoardOnPods]
) -> None:
    executive.wait_members("5/5")
    first = executive.lorax_pod()
    other = new_board("second-board")
    mine, theirs = executive.ask().json(), other.ask().json()
    for answer, board_ in ((mine, executive), (theirs, other)):
        assert len(answer["agents_involved"]) == 5, board_.namespace
    assert {a["text"] for a in mine["answers"]}.isdisjoint({a["text"] for a in theirs["answers"]})

    other.kubectl.run("delete", "boardagents", "--all")
    other.kubectl.run("delete", "boardroom", other.name)
    expected = {"serviceaccount/default", "persistentvolumeclaim/board-adapters"}

    def left() -> set[str]:
        return {name for name in other.names(OWNED) if not name.startswith("pod/fill-board-adapters")} - expected

    until(f"nothing is left of it but {expected}", lambda: left() == set(), 180.0)
    assert executive.lorax_pod() == first
    assert len(executive.ask().json()["agents_involved"]) == 5
