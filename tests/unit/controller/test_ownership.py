"""Two operators that watch one board: one reconciles it, the other stands by until the first is gone."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from boardroom.api.meta import OPERATOR_ANNOTATION
from boardroom.controller.operator_leases import OPERATOR_LEASE, READ_SECONDS, VACANT_SECONDS
from boardroom.kube import kinds
from boardroom.kube.errors import ConflictError, RefusedError
from unit.controller.objects import board_object
from unit.controller.test_reconcile import Room
from unit.kube.fake_kube import FakeKube


@dataclass
class Two:
    """Two operators, each with a store and defaults of its own, on one API server."""

    kube: FakeKube = field(default_factory=FakeKube)

    def __post_init__(self) -> None:
        self.first = Room(kube=self.kube, operator="first")
        self.second = Room(kube=self.kube, operator="second")
        self.board(board_object())

    def board(self, obj: dict[str, Any]) -> None:
        self.see(self.kube.put(kinds.BOARDROOM, obj))

    def see(self, obj: dict[str, Any]) -> None:
        for room in (self.first, self.second):
            room.store.put(kinds.BOARDROOM, obj)

    def choose(self, operator: str) -> None:
        live = self.live
        annotations = {OPERATOR_ANNOTATION: operator}
        self.board(live | {"metadata": live["metadata"] | {"annotations": annotations}})

    async def look(self, room: Room) -> float | None:
        """The watch tells what is there, and the operator reconciles."""
        self.see(self.live)
        self.kube.requests.clear()
        again = await room.reconcile()
        self.see(self.live)
        return again

    def lease(self, namespace: str, holder: str) -> None:
        spec = {"holderIdentity": holder, "leaseDurationSeconds": 12}
        self.kube.put(kinds.LEASE, {"metadata": {"namespace": namespace, "name": OPERATOR_LEASE}, "spec": spec})

    async def pass_time(self, seconds: float, *, renewed: str = "") -> None:
        """The second operator looks every few seconds; the Lease of that namespace is renewed meanwhile."""
        until = self.second.seconds + seconds
        while self.second.seconds < until:
            self.second.seconds += READ_SECONDS
            if renewed:
                self.lease(renewed, "a-pod")
            await self.look(self.second)

    @property
    def live(self) -> dict[str, Any]:
        return self.kube.objects[kinds.BOARDROOM, ("team", "executive")]

    @property
    def operator(self) -> str | None:
        return str(self.live["status"]["operator"])

    @property
    def conflict(self) -> str | None:
        conditions = self.live["status"].get("conditions", ())
        return next((c["reason"] for c in conditions if c["type"] == "OperatorConflict"), None)


@pytest.fixture
async def two() -> Two:
    """The first has reconciled the board, and its Lease is held."""
    both = Two()
    both.lease("first", "a-pod")
    assert await both.look(both.first) != READ_SECONDS
    return both


async def test_the_first_claims_the_board_before_it_writes_anything_else(two: Two) -> None:
    assert two.operator == "first"
    assert two.conflict is None
    fresh = Two()
    await fresh.look(fresh.second)
    assert fresh.kube.writes[0] == ("apply_status", "Boardroom", "executive")
    assert fresh.operator == "second"


async def test_the_second_writes_nothing_but_its_condition(two: Two) -> None:
    before = {key: obj for key, obj in two.kube.objects.items() if key[0] is not kinds.BOARDROOM}
    assert await two.look(two.second) == READ_SECONDS
    assert two.kube.writes == [("apply_status", "Boardroom", "executive"), ("create", "Event", "ReconciledElsewhere")]
    assert {k: o for k, o in two.kube.objects.items() if k in before} == before
    assert (two.operator, two.conflict) == ("first", "ReconciledElsewhere")
    await two.pass_time(30, renewed="first")
    assert two.kube.writes == []


async def test_the_first_writes_nothing_because_of_it(two: Two) -> None:
    await two.look(two.second)
    await two.look(two.first)
    assert two.kube.writes == []
    assert two.conflict == "ReconciledElsewhere"


async def test_an_operator_that_is_upgraded_keeps_its_boards(two: Two) -> None:
    await two.look(two.second)
    two.lease("first", "")
    await two.pass_time(VACANT_SECONDS - 10)
    two.lease("first", "the-next-pod")
    await two.pass_time(2 * VACANT_SECONDS, renewed="first")
    assert (two.operator, two.conflict) == ("first", "ReconciledElsewhere")


@pytest.mark.parametrize("released", [True, False])
async def test_the_boards_of_one_that_is_gone_are_taken_over(two: Two, *, released: bool) -> None:
    await two.look(two.second)
    if released:
        two.lease("first", "")
    await two.pass_time(VACANT_SECONDS + 30)
    assert (two.operator, two.conflict) == ("second", None)
    assert await two.look(two.second) != READ_SECONDS


async def test_a_lease_that_may_not_be_read_is_held(two: Two) -> None:
    two.kube.failures["get", "Lease"] = RefusedError(403, "leases is forbidden")
    await two.pass_time(3 * VACANT_SECONDS)
    assert two.operator == "first"
    message = next(c["message"] for c in two.live["status"]["conditions"] if c["type"] == "OperatorConflict")
    assert "may not read its Lease" in message
    assert f"{OPERATOR_ANNOTATION}=NAMESPACE" in message


async def test_the_users_choice_decides_over_a_claim_and_is_no_conflict(two: Two) -> None:
    await two.look(two.second)
    two.choose("second")
    assert await two.look(two.second) != READ_SECONDS
    assert (two.operator, two.conflict) == ("second", None)
    two.lease("second", "a-pod")
    assert await two.look(two.first) == READ_SECONDS
    assert two.kube.writes == []


async def test_an_assignment_to_an_operator_that_is_not_there_is_reported(two: Two) -> None:
    two.choose("elsewhere")
    await two.pass_time(VACANT_SECONDS + 30)
    assert (two.operator, two.conflict) == ("first", "OperatorNotFound")


async def test_two_that_saw_no_claim_do_not_both_claim() -> None:
    both = Two()
    await both.first.reconcile()
    assert both.second.store.get(kinds.BOARDROOM, "team", "executive") != both.live
    with pytest.raises(ConflictError):
        await both.second.reconcile()
    assert both.operator == "first"


async def test_an_operator_that_ends_removes_its_condition(two: Two) -> None:
    await two.look(two.second)
    await two.second.reconciler.ownership.withdraw()
    assert two.conflict is None
    assert two.operator == "first"


async def test_the_condition_of_an_operator_that_was_killed_is_removed_by_the_owner(two: Two) -> None:
    await two.look(two.second)
    anew = Room(kube=two.kube, operator="first")
    anew.store.put(kinds.BOARDROOM, two.live)
    await anew.reconcile()
    assert two.conflict is None


async def test_an_operator_without_a_lease_claims_nothing_and_leaves_claimed_boards_alone(two: Two) -> None:
    nameless = Room(kube=two.kube)
    nameless.store.put(kinds.BOARDROOM, two.live)
    assert await nameless.reconcile() == READ_SECONDS
    assert two.operator == "first"
    alone = Room()
    alone.has(kinds.BOARDROOM, board_object())
    await alone.reconcile()
    assert "operator" not in alone.live(kinds.BOARDROOM, "executive")["status"]
