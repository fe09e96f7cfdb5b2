"""A writer that overwrites our fields again and again is named, and overwritten ever less often."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from boardroom.controller.apply.contests import FIRST_SECONDS, LAST_SECONDS, QUIET_SECONDS, ROUNDS, Contests
from boardroom.kube.kinds import DEPLOYMENT, Object

OF = (DEPLOYMENT, ("team", "executive-lorax"))
SCALER = {"manager": "scaler", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
OURS = {"manager": "boardroom-operator", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
POLICY = {"manager": "policy", "fieldsV1": {"f:metadata": {"f:labels": {"f:cost": {}}}}}


def deployment(replicas: int = 1, image: str = "lorax:1", managers: tuple[Object, ...] = (), **spec: Any) -> Object:
    containers = [{"name": "lorax", "image": image}]
    return {
        "metadata": {"name": "executive-lorax"} | ({"managedFields": list(managers)} if managers else {}),
        "spec": {"replicas": replicas, "template": {"spec": {"containers": containers}}} | spec,
    }


@dataclass
class Fight:
    """We want one replica; somebody sets two whenever we have written."""

    now: float = 0.0
    wanted: Object = field(default_factory=deployment)

    def __post_init__(self) -> None:
        self.contests = Contests(lambda: self.now)

    def round(self, found: Object) -> float:
        """We find it otherwise, and write where we may; returns the pause."""
        self.contests.overwritten(OF, self.wanted, found)
        pause = self.contests.wait(OF)
        self.now += pause
        self.contests.applied(OF, self.wanted)
        return pause

    def rounds(self, count: int, found: Object | None = None) -> list[float]:
        return [self.round(found or deployment(2, managers=(OURS, SCALER, POLICY))) for _ in range(count)]

    @property
    def message(self) -> str:
        contest = self.contests.ongoing(OF)
        return contest.message if contest else ""


def test_a_few_edits_by_hand_are_put_back_at_once() -> None:
    fight = Fight()
    assert fight.rounds(ROUNDS) == [0.0] * ROUNDS
    assert fight.message == ""


def test_a_writer_that_goes_on_is_named_with_the_field_and_overwritten_ever_less_often() -> None:
    fight = Fight()
    assert fight.rounds(10)[ROUNDS:] == [30.0, 60.0, 120.0, 240.0, 480.0, LAST_SECONDS, LAST_SECONDS]
    assert "Deployment executive-lorax: spec.replicas is set otherwise by field manager scaler when" in fight.message


def test_what_was_found_once_counts_once_however_often_it_is_looked_at() -> None:
    fight = Fight()
    fight.rounds(ROUNDS)
    for _ in range(10):
        fight.contests.overwritten(OF, fight.wanted, deployment(2))
    assert fight.contests.wait(OF) == FIRST_SECONDS


def test_a_field_in_a_container_is_named_by_its_container() -> None:
    item: Object = {'k:{"name":"lorax"}': {"f:image": {}}}
    owns = {"f:spec": {"f:template": {"f:spec": {"f:containers": item}}}}
    found = deployment(image="lorax:2", managers=({"manager": "pinner", "fieldsV1": owns},))
    fight = Fight()
    fight.rounds(ROUNDS + 1, found)
    assert "spec.template.spec.containers[lorax].image is set otherwise by field manager pinner" in fight.message


def test_a_writer_without_a_name_is_said_to_have_none() -> None:
    fight = Fight()
    fight.rounds(ROUNDS + 1, deployment(2, managers=(OURS,)))
    assert "a writer that no field manager names" in fight.message


@pytest.mark.parametrize("found", [deployment(paused=True), deployment(managers=(SCALER,))])
def test_whoever_writes_what_is_not_ours_contests_nothing(found: Object) -> None:
    fight = Fight()
    assert fight.rounds(10, found) == [0.0] * 10
    assert fight.message == ""


def test_it_is_over_when_nobody_has_written_for_a_while() -> None:
    fight = Fight()
    fight.rounds(ROUNDS + 1)
    contest = fight.contests.ongoing(OF)
    assert contest is not None
    assert contest.retry_seconds == QUIET_SECONDS
    fight.now += QUIET_SECONDS
    assert fight.message == ""


def test_edits_that_lie_far_apart_are_no_contest() -> None:
    fight = Fight()
    for _ in range(10):
        fight.now += LAST_SECONDS + QUIET_SECONDS + 1.0
        assert fight.rounds(1) == [0.0]


def test_what_is_to_go_is_forgotten() -> None:
    fight = Fight()
    fight.rounds(ROUNDS + 1)
    fight.contests.forget(OF)
    assert (fight.contests.wait(OF), fight.message) == (0.0, "")
