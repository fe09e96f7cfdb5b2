"""Preloaded adapters: those whose files exist and fit, as the members' status says, and no others."""

import itertools
from typing import Any

import pytest

from boardroom.api.resources import BoardAgent
from boardroom.controller.plan import lorax, preload, template
from boardroom.kube import kinds
from boardroom.kube.errors import RefusedError
from unit.controller.objects import Object, agent_object, blueprint, board_object
from unit.controller.test_reconcile import Room

VOLUME = {"volume": {"persistentVolumeClaim": {"claimName": "a"}}}
PRELOADED: dict[str, Any] = {"lorax": {"adapterPolicy": "Preloaded"}, "adapters": VOLUME}
A, B = "/models/ceo_lora_adapter", "/models/cfo_lora_adapter"


def told(role: str, status: str = "True", reason: str = "AdapterProved", **options: Any) -> Object:
    """An agent whose status the coordinator has written."""
    found = agent_object(role, generation=options.pop("generation", 1))
    digest = options.pop("digest", f"sha256:{role.lower()}")
    condition = {
        "type": "AdapterReady",
        "status": status,
        "reason": reason,
        "message": "m",
        "observedGeneration": options.pop("seen", 1),
        "lastTransitionTime": "2026-11-23T00:00:00Z",
    }
    adapter = {"source": "Volume", "path": f"/models/{role.lower()}_lora_adapter"} | (
        {"digest": digest} if digest else {}
    )
    found["status"] |= {"conditions": [condition], "adapter": adapter}
    return found


def deployment(**adapters: str) -> Object:
    plan = blueprint(**PRELOADED)
    found = lorax.deployment(plan)
    assert found is not None
    found["spec"]["template"]["metadata"]["annotations"] = preload.annotations(adapters)
    return found


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (told("CEO"), {A: "sha256:ceo"}),
        (told("CEO", "Unknown", "NotProved"), {A: "sha256:ceo"}),
        (told("CEO", "False", "LoadFailed"), {A: "sha256:ceo"}),
        (told("CEO", "False", "AdapterMissing"), {}),
        (told("CEO", "False", "BaseModelMismatch"), {}),
        (told("CEO", "False", "UnsupportedFeature"), {}),
        (told("CEO", "Unknown", "NotProved", digest=None), {}),
        (told("CEO", seen=1, generation=2), {}),
        (agent_object("CEO"), {}),
    ],
)
def test_on_the_list_is_what_is_found_and_fits(agent: Object, expected: dict[str, str]) -> None:
    assert preload.preloaded([BoardAgent.model_validate(agent)], None) == expected


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (told("CEO", "Unknown", "NotProved", digest=None), {A: "sha256:old"}),
        (told("CEO", seen=1, generation=2), {A: "sha256:old", B: "sha256:cfo"}),
        (told("CEO"), {A: "sha256:ceo"}),
        (told("CEO", "False", "AdapterMissing"), {}),
    ],
)
def test_while_lorax_restarts_nothing_is_known_and_what_stood_stays(agent: Object, expected: dict[str, str]) -> None:
    live = deployment(**{A: "sha256:old", B: "sha256:cfo"})
    assert preload.preloaded([BoardAgent.model_validate(agent)], live) == expected


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        (agent_object("CFO"), {}),
        (told("CFO", "Unknown", "Downloading", digest=None), {}),
        (told("CFO", "False", "DownloadFailed", digest=None), {A: "sha256:ceo"}),
        (told("CFO"), {A: "sha256:ceo", B: "sha256:cfo"}),
    ],
)
def test_those_that_come_together_cost_one_restart(late: Object, expected: dict[str, str]) -> None:
    agents = [BoardAgent.model_validate(agent) for agent in (told("CEO"), late)]
    assert preload.preloaded(agents, None) == expected


def test_a_member_without_an_adapter_delays_nobody() -> None:
    base = agent_object("CTO")
    base["spec"]["adapter"] = {"none": True}
    agents = [BoardAgent.model_validate(agent) for agent in (told("CEO"), base)]
    assert preload.preloaded(agents, None) == {A: "sha256:ceo"}


def test_an_annotation_edited_by_hand_is_none() -> None:
    live = deployment(x="y")
    live["spec"]["template"]["metadata"]["annotations"] = {preload.ANNOTATION: "{"}
    assert preload.on(live) == {}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({}, {}, ""),
        ({A: "1"}, {A: "1"}, ""),
        ({}, {A: "1", B: "2"}, f"added: {A}, {B}"),
        ({A: "1", B: "2"}, {B: "3"}, f"removed: {A}; with new files: {B}"),
    ],
)
def test_a_change_is_said_in_words(before: dict[str, str], after: dict[str, str], words: str) -> None:
    assert preload.change(before, after) == words


@pytest.fixture
def room() -> Room:
    found = Room()
    found.has(kinds.BOARDROOM, board_object(**PRELOADED))
    return found


def flags(room: Room) -> list[str]:
    words = room.live(kinds.DEPLOYMENT, "executive-lorax")["spec"]["template"]["spec"]["containers"][0]["args"]
    return [word for flag, word in itertools.pairwise(words) if flag == "--preloaded-adapter-ids"]


def notes(room: Room) -> list[str]:
    """What the events about preloaded adapters say."""
    return [event["note"] for event in room.kube.objects.values() if event.get("reason") == "AdaptersPreloaded"]


async def test_lorax_gets_the_list_and_an_event_tells_what_replaced_its_pod(room: Room) -> None:
    room.has(kinds.BOARDAGENT, told("CEO"))
    await room.reconcile()
    assert (flags(room), notes(room)) == ([A], [])  # there was no pod to replace
    room.has(kinds.BOARDAGENT, told("CFO", "False", "LoadFailed"))
    await room.reconcile()
    assert flags(room) == [A, B]
    assert [note.partition(": ")[2] for note in notes(room)] == [f"adapters added: {B}"]
    room.kube.requests.clear()
    await room.reconcile()
    assert room.kube.writes == []


@pytest.mark.parametrize("spec", [{"lorax": {"adapterPolicy": "Dynamic"}}, {"suspend": True}])
async def test_a_pod_that_goes_for_another_reason_is_not_the_lists_doing(room: Room, spec: Object) -> None:
    room.has(kinds.BOARDAGENT, told("CEO"))
    await room.reconcile()
    room.has(kinds.BOARDAGENT, told("CFO"))
    room.has(kinds.BOARDROOM, room.live(kinds.BOARDROOM, "executive") | board_object(**PRELOADED | spec))
    await room.reconcile()
    assert notes(room) == []


async def test_a_list_that_the_api_server_refuses_replaces_nothing(room: Room) -> None:
    room.has(kinds.BOARDAGENT, told("CEO"))
    await room.reconcile()
    room.has(kinds.BOARDAGENT, told("CFO"))
    room.kube.failures["apply", "Deployment"] = RefusedError(422, "no")
    await room.reconcile()
    assert notes(room) == []


async def test_a_dynamic_board_has_no_list(room: Room) -> None:
    room.has(kinds.BOARDROOM, board_object(adapters=VOLUME))
    room.has(kinds.BOARDAGENT, told("CEO"))
    await room.reconcile()
    assert flags(room) == []
    assert preload.on(room.live(kinds.DEPLOYMENT, "executive-lorax")) == {}


def test_the_list_is_no_change_of_the_operators_own() -> None:
    """So a restart for a member waits for no other board's turn, and an upgrade still spares the pod."""
    plan, other = blueprint(**PRELOADED), blueprint(**PRELOADED)
    object.__setattr__(other, "preloaded", {A: "sha256:ceo"})
    stamps = [template.hash_of(found) for found in map(lorax.deployment, (plan, other)) if found is not None]
    assert (len(stamps), len(set(stamps))) == (2, 1)
