"""Events: a named reason for each transition, and no flood if a condition flaps."""

from datetime import UTC, datetime, timedelta

import pytest

from boardroom.controller.events import Event, Recorder, agent_events, board_events
from boardroom.kube.kinds import BOARDROOM
from unit.controller.objects import Object, board_object, condition
from unit.kube.fake_kube import FakeKube

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("type_", "status", "reason", "expected"),
    [
        ("LoraxReady", "False", "Starting", [("Normal", "LoraxStarting")]),
        ("LoraxReady", "True", "Ready", [("Normal", "LoraxReady")]),
        ("LoraxReady", "False", "InsufficientGpu", [("Warning", "LoraxInsufficientGpu")]),
        ("LoraxReady", "False", "Creating", []),
        ("CoordinatorReady", "False", "CrashLoop", [("Warning", "CoordinatorCrashLoop")]),
        ("Ready", "True", "Ready", [("Normal", "BoardReady")]),
        ("Ready", "True", "Suspended", [("Normal", "BoardSuspended")]),
        ("LoraxReady", "False", "Suspended", []),
        ("Ready", "False", "LoraxStarting", []),
        ("Stalled", "True", "InvalidSpec", [("Warning", "BoardStalled")]),
        ("Stalled", "False", "NotStalled", []),
        ("AgentsReady", "False", "NoMembers", []),
        ("UpToDate", "False", "WaitingForTurn", [("Normal", "RolloutWaiting")]),
        ("UpToDate", "False", "RollingOut", [("Normal", "RolloutStarted")]),
        ("UpToDate", "False", "FieldsContested", [("Warning", "FieldsContested")]),
        ("UpToDate", "True", "UpToDate", []),
    ],
)
def test_what_a_boards_condition_tells(type_: str, status: str, reason: str, expected: list[tuple[str, str]]) -> None:
    told = board_events([], [condition(type_, status, reason)])
    assert [(event.type, event.reason) for event in told] == expected


def test_the_end_of_a_contest_is_no_end_of_a_rollout() -> None:
    before = [condition("UpToDate", "False", "FieldsContested")]
    assert board_events(before, [condition("UpToDate", "True", "UpToDate")]) == []


def test_the_end_of_a_rollout_is_told() -> None:
    before = [condition("UpToDate", "False", "RollingOut")]
    assert [e.reason for e in board_events(before, [condition("UpToDate", "True", "UpToDate")])] == ["RolloutDone"]


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ([], ["AgentRefused"]),
        ([condition("Accepted", "True", "Accepted")], ["AgentRefused"]),
        ([condition("Accepted", "False", "BoardFull")], ["AgentRefused"]),
        ([condition("Accepted", "False", "DuplicateRole")], []),
    ],
    ids=["new", "was accepted", "another reason", "the same"],
)
def test_a_refusal_is_one_event(before: list[Object], expected: list[str]) -> None:
    told = agent_events(before, [condition("Accepted", "False", "DuplicateRole")])
    assert [event.reason for event in told] == expected


@pytest.mark.parametrize(
    ("before", "expected"),
    [([], []), ([condition("Accepted", "False", "BoardFull")], ["AgentAccepted"])],
    ids=["new", "was refused"],
)
def test_an_acceptance_is_an_event_only_after_a_refusal(before: list[Object], expected: list[str]) -> None:
    told = agent_events(before, [condition("Accepted", "True", "Accepted")])
    assert [event.reason for event in told] == expected


async def test_the_same_event_is_not_written_again_within_five_minutes() -> None:
    kube, times = FakeKube(), iter([NOW, NOW, NOW + timedelta(minutes=4), NOW + timedelta(minutes=10), NOW])
    recorder = Recorder(kube, lambda: next(times), "test")
    event = Event(type="Normal", reason="LoraxReady", note="up")
    written = []
    for _ in range(3):
        await recorder.record(BOARDROOM, board_object(), [event])
        written.append(len(kube.writes))
    assert written == [1, 1, 2]


async def test_an_event_says_whom_it_is_about() -> None:
    kube = FakeKube()
    await Recorder(kube, lambda: NOW, "pod-1").record(
        BOARDROOM, board_object(), [Event(type="Warning", reason="BoardStalled", note="x" * 2000)]
    )
    (event,) = kube.objects.values()
    kept = ("eventTime", "reportingController", "reportingInstance", "action", "reason", "type", "regarding")
    assert {name: event[name] for name in kept} == {
        "eventTime": "2026-11-24T00:00:00.000000Z",
        "reportingController": "boardroom.dev/boardroom-operator",
        "reportingInstance": "pod-1",
        "action": "Reconcile",
        "reason": "BoardStalled",
        "type": "Warning",
        "regarding": {
            "apiVersion": "boardroom.dev/v1alpha1",
            "kind": "Boardroom",
            "name": "executive",
            "namespace": "team",
            "uid": "board-uid",
        },
    }
    assert len(event["note"]) == 1024


@pytest.mark.parametrize(("note", "kept"), [("é" * 600, "é" * 512), ("x" + "é" * 600, "x" + "é" * 511)])
async def test_a_note_is_cut_by_its_bytes_and_between_characters(note: str, kept: str) -> None:
    kube = FakeKube()
    event = Event(type="Warning", reason="BoardStalled", note=note)
    await Recorder(kube, lambda: NOW, "pod-1").record(BOARDROOM, board_object(), [event])
    assert [written["note"] for written in kube.objects.values()] == [kept]
