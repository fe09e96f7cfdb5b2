"""A board's conditions: the first policy that applies gives the reason, as kstatus expects."""

from datetime import UTC, datetime

import pytest

from boardroom.api.conditions import read
from boardroom.api.membership import Verdict
from boardroom.controller.rollouts import RolloutState
from boardroom.controller.status.agent import Member, build_member
from boardroom.controller.status.board import (
    DISABLED,
    Observed,
    board_status,
    condition_values,
    invalid_status,
    suspended,
)
from boardroom.controller.status.condition_value import ConditionValue
from unit.controller.objects import agent, blueprint, condition

NOW = datetime(2026, 11, 24, tzinfo=UTC)
UP = ConditionValue(status="True", reason="Ready", message="up")
DOWN = ConditionValue(status="False", reason="Starting", message="it starts")
ROLLING = ConditionValue(status="True", reason="Updating", message="rolls", changing=True)
NO_IMAGE = ConditionValue(status="False", reason="ImagePullFailed", message="no image", stalled=True)
TAKEN = ConditionValue(status="False", reason="NameConflict", message="taken", stalled=True)
ACCEPTED = Verdict(accepted=True, reason="Accepted", message="is a member")


def member(role: str, *, ready: bool) -> Member:
    proof = condition("AdapterReady", "True" if ready else "False", "AdapterProved" if ready else "AdapterMissing")
    return build_member(agent(role, conditions=[proof]), ACCEPTED)


CEO, CFO = member("CEO", ready=True), member("CFO", ready=False)
READY = Observed(lorax=UP, coordinator=UP, members=[CEO])

CASES: dict[str, tuple[Observed, tuple[str, str], str, str]] = {
    # what was observed: Ready, Reconciling, Stalled
    "all well": (READY, ("True", "Ready"), "False", "False"),
    "a member is missing": (
        Observed(lorax=UP, coordinator=UP, members=[CEO, CFO]),
        ("True", "Ready"),
        "False",
        "False",
    ),
    "a coordinator that rolls": (
        Observed(lorax=UP, coordinator=ROLLING, members=[CEO]),
        ("True", "Ready"),
        "True",
        "False",
    ),
    "LoRAX starts": (
        Observed(lorax=DOWN, coordinator=UP, members=[CEO]),
        ("False", "LoraxStarting"),
        "True",
        "False",
    ),
    "LoRAX's image is not there": (
        Observed(lorax=NO_IMAGE, coordinator=UP, members=[CEO]),
        ("False", "LoraxImagePullFailed"),
        "False",
        "True",
    ),
    "the coordinator starts": (
        Observed(lorax=UP, coordinator=DOWN, members=[CEO]),
        ("False", "CoordinatorStarting"),
        "True",
        "False",
    ),
    "nobody is a member": (Observed(lorax=UP, coordinator=UP, members=[]), ("False", "NoMembers"), "True", "False"),
    "nobody is ready": (Observed(lorax=UP, coordinator=UP, members=[CFO]), ("False", "NoneReady"), "True", "False"),
    "LoRAX is off": (
        Observed(lorax=DISABLED, coordinator=UP, members=[CEO], enabled=False),
        ("False", "NoEngine"),
        "False",
        "True",
    ),
    "LoRAX is off and standard inference is there": (
        Observed(lorax=DISABLED, coordinator=UP, members=[CEO], enabled=False, standard=True),
        ("True", "Ready"),
        "False",
        "False",
    ),
    "standard inference answers while LoRAX starts": (
        Observed(lorax=DOWN, coordinator=UP, members=[CFO], standard=True),
        ("True", "StandardInferenceOnly"),
        "True",
        "False",
    ),
    "standard inference answers for a LoRAX whose image is not there": (
        Observed(lorax=NO_IMAGE, coordinator=UP, members=[CFO], standard=True),
        ("True", "StandardInferenceOnly"),
        "False",
        "True",
    ),
    "standard inference has nobody to speak for": (
        Observed(lorax=DOWN, coordinator=UP, members=[], standard=True),
        ("False", "LoraxStarting"),
        "True",
        "False",
    ),
    "suspended": (
        Observed(lorax=suspended([]), coordinator=DOWN, members=[CFO], suspended=True),
        ("True", "Suspended"),
        "False",
        "False",
    ),
    "about to be suspended": (
        Observed(lorax=suspended([{}]), coordinator=UP, members=[CEO], suspended=True),
        ("True", "Suspended"),
        "True",
        "False",
    ),
    "suspended, but a name is taken": (
        Observed(lorax=suspended([]), coordinator=UP, members=[CEO], suspended=True, obstacle=TAKEN),
        ("False", "NameConflict"),
        "False",
        "True",
    ),
    "a name is taken": (
        Observed(lorax=DOWN, coordinator=DOWN, members=[], obstacle=TAKEN),
        ("False", "NameConflict"),
        "False",
        "True",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_ready_and_the_two_abnormal_conditions(case: str) -> None:
    observed, ready, reconciling, stalled = CASES[case]
    found = condition_values(observed)
    assert (found["Ready"].status, found["Ready"].reason) == ready
    assert (found["Reconciling"].status, found["Stalled"].status) == (reconciling, stalled)


@pytest.mark.parametrize(
    ("members", "rejected", "expected"),
    [
        ([CEO], {}, ("True", "AllReady", "1 of 1 members are ready")),
        ([CEO, CFO], {}, ("False", "SomeNotReady", "1 of 2 members are ready; not ready: cfo (AdapterMissing)")),
        ([CEO], {"x": "DuplicateRole"}, ("True", "AllReady", "1 of 1 members are ready; refused: x (DuplicateRole)")),
    ],
)
def test_agents_ready_names_who_is_not(
    members: list[Member], rejected: dict[str, str], expected: tuple[str, str, str]
) -> None:
    found = condition_values(Observed(lorax=UP, coordinator=UP, members=members, rejected=rejected))["AgentsReady"]
    assert (found.status, found.reason, found.message) == expected


def test_everything_we_own_stands_in_the_status() -> None:
    plan = blueprint(maxMembers=3)
    status = board_status(plan, Observed(lorax=UP, coordinator=UP, members=[CEO, CFO]), (), NOW)
    conditions = status.pop("conditions")
    assert [c["type"] for c in conditions] == [
        "Ready", "Reconciling", "Stalled", "LoraxReady", "CoordinatorReady", "AgentsReady",
        "UpToDate",
    ]  # fmt: skip
    assert status == {
        "observedGeneration": 1,
        "agents": "1/2",
        "lorax": {
            "effective": {
                "enabled": True,
                "image": "ghcr.io/predibase/lorax:0.12.1",
                "port": 8080,
                "adapterCacheSize": 100,
                "maxConcurrentRequests": 128,
                "maxMembers": 3,
            }
        },
        "members": [
            {"name": "ceo", "role": "CEO", "ready": True, "reason": "Ready"},
            {"name": "cfo", "role": "CFO", "ready": False, "reason": "AdapterMissing"},
        ],
        "endpoint": "http://executive-coordinator.team.svc:8000",
        "auth": {"mode": "Kubernetes"},
    }


def test_a_time_moves_only_with_its_status() -> None:
    before = read([condition("Ready", "True", "Ready"), condition("LoraxReady", "False", "Starting")])
    status = board_status(blueprint(), READY, before, NOW)
    times = {c["type"]: c["lastTransitionTime"] for c in status["conditions"]}
    assert (times["Ready"], times["LoraxReady"]) == ("2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z")


def test_a_spec_that_cant_be_read_stalls_the_board() -> None:
    status = invalid_status("spec.model: Field required", 4, (), NOW)
    found = {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}
    assert status["observedGeneration"] == 4
    assert found == {
        "Ready": ("False", "InvalidSpec"),
        "Reconciling": ("False", "Settled"),
        "Stalled": ("True", "InvalidSpec"),
        "LoraxReady": ("Unknown", "InvalidSpec"),
        "CoordinatorReady": ("Unknown", "InvalidSpec"),
        "AgentsReady": ("Unknown", "InvalidSpec"),
    }


@pytest.mark.parametrize(
    ("rollout", "lorax", "reconciling", "up_to_date"),
    [
        (RolloutState.UP_TO_DATE, UP, ("False", "Settled"), ("True", "UpToDate")),
        (RolloutState.WAITING, UP, ("True", "WaitingForTurn"), ("False", "WaitingForTurn")),
        (RolloutState.ROLLING, DOWN, ("True", "LoraxStarting"), ("False", "RollingOut")),
        (RolloutState.WAITING, NO_IMAGE, ("False", "Settled"), ("False", "WaitingForTurn")),
    ],
    ids=["up to date", "waits", "rolls", "waits and has stalled"],
)
def test_a_rollout_that_is_not_through_is_told(
    rollout: RolloutState, lorax: ConditionValue, reconciling: tuple[str, str], up_to_date: tuple[str, str]
) -> None:
    found = condition_values(Observed(lorax=lorax, coordinator=UP, members=[CEO], rollout=rollout))
    assert (found["Reconciling"].status, found["Reconciling"].reason) == reconciling
    assert (found["UpToDate"].status, found["UpToDate"].reason) == up_to_date


def test_a_chair_that_is_no_member_is_named() -> None:
    found = condition_values(Observed(lorax=UP, coordinator=UP, members=[CEO], missing_chair="coo"))["AgentsReady"]
    assert (found.status, found.reason) == ("True", "ChairNotSeated")
    assert "spec.deliberation.chairRef names BoardAgent coo, which is no member" in found.message
