"""A change of the operator's own reaches boards one by one, and only those whose pods it replaces."""

from typing import Any

import pytest

from boardroom.api.settings import Defaults
from boardroom.controller.rollouts import Rollouts
from boardroom.kube import kinds
from boardroom.kube.kinds import Object
from unit.controller.objects import agent_object, board_object, condition
from unit.controller.test_reconcile import KEY, Room

OTHER = ("team", "other")


def settle(room: Room) -> None:
    """What the Deployments' controller and the kubelet would do: every pod of the newest template, up."""
    for (kind, (_, name)), obj in list(room.kube.objects.items()):
        if kind is kinds.DEPLOYMENT:
            counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas"), 1)
            status = {"observedGeneration": obj["metadata"]["generation"], **counts}
            room.has(kind, obj | {"status": status})
            component = name.removeprefix("executive-")
            running = {"name": component, "ready": True, "started": True, "state": {"running": {}}}
            metadata = {
                "name": f"{name}-1",
                "namespace": "team",
                "uid": f"{name}-1",
                "creationTimestamp": "2026-11-24T00:00:00Z",
                "labels": obj["spec"]["selector"]["matchLabels"],
            }
            room.has(kinds.POD, {"metadata": metadata, "status": {"containerStatuses": [running]}})


async def ready_room(**spec: Any) -> Room:
    """A board that is Ready, as an operator with the built-in defaults left it."""
    room = Room()
    room.has(kinds.BOARDROOM, board_object(**spec))
    room.has(kinds.BOARDAGENT, agent_object("CEO", conditions=[condition("AdapterReady", "True", "AdapterProved")]))
    await room.reconcile()
    settle(room)
    await room.reconcile()
    assert room.condition(kinds.BOARDROOM, "executive", "Ready") == ("True", "Ready")
    assert room.condition(kinds.BOARDROOM, "executive", "UpToDate") == ("True", "UpToDate")
    return room


def succeeded(room: Room, defaults: Defaults, *, busy: bool = False) -> Room:
    """The next operator over the same objects; where `busy`, another board rolls just now."""
    rollouts = Rollouts(clock=lambda: 0.0, wake=lambda _: None, unfinished=lambda: [OTHER] if busy else [])
    after = Room(kube=room.kube, store=room.store, rollouts=rollouts, defaults=defaults)
    after.kube.requests.clear()
    return after


def port(room: Room) -> int:
    found: int = room.live(kinds.SERVICE, "executive-lorax")["spec"]["ports"][0]["port"]
    return found


def effective(room: Room) -> Object:
    found: Object = room.live(kinds.BOARDROOM, "executive")["status"]["lorax"]["effective"]
    return found


async def test_nothing_of_a_board_that_waits_is_changed() -> None:
    room = succeeded(await ready_room(), Defaults(lorax_port=9999), busy=True)
    await room.reconcile()
    written = {kind for _, kind, _ in room.kube.writes}
    assert written == {"Boardroom", "Event"}
    assert room.condition(kinds.BOARDROOM, "executive", "Ready") == ("True", "Ready")
    assert room.condition(kinds.BOARDROOM, "executive", "Reconciling") == ("True", "WaitingForTurn")
    assert room.condition(kinds.BOARDROOM, "executive", "UpToDate") == ("False", "WaitingForTurn")
    assert effective(room)["port"] == 8080
    room.kube.requests.clear()
    await room.reconcile()
    assert room.kube.requests == []


async def test_an_admitted_board_is_changed_and_rolls_until_it_is_ready_again() -> None:
    room = succeeded(await ready_room(), Defaults(lorax_port=9999))
    await room.reconcile()
    assert port(room) == 9999
    assert room.condition(kinds.BOARDROOM, "executive", "UpToDate") == ("False", "RollingOut")
    assert room.rollouts.is_rolling(KEY)
    settle(room)
    await room.reconcile()
    assert room.condition(kinds.BOARDROOM, "executive", "UpToDate") == ("True", "UpToDate")
    assert not room.rollouts.is_rolling(KEY)


async def test_a_board_that_the_change_does_not_concern_does_not_wait() -> None:
    room = await ready_room(lorax={"port": 7777})
    before = {key: obj.get("spec") for key, obj in room.kube.objects.items()}
    room = succeeded(room, Defaults(lorax_port=9999), busy=True)
    await room.reconcile()
    assert {key: obj.get("spec") for key, obj in room.kube.objects.items()} == before
    assert room.condition(kinds.BOARDROOM, "executive", "UpToDate") == ("True", "UpToDate")


async def test_a_users_own_change_waits_for_nobody() -> None:
    room = await ready_room()
    edited = board_object(generation=2, lorax={"port": 7777})
    room.has(kinds.BOARDROOM, edited | {"status": room.live(kinds.BOARDROOM, "executive")["status"]})
    room = succeeded(room, Defaults(lorax_port=9999), busy=True)
    await room.reconcile()
    assert port(room) == 7777


async def test_a_board_that_does_not_answer_gets_the_change_at_once() -> None:
    room = await ready_room()
    room.has(kinds.POD, room.live(kinds.POD, "executive-lorax-1") | {"status": {"containerStatuses": []}})
    await room.reconcile()
    room = succeeded(room, Defaults(lorax_image="mended:1"), busy=True)
    await room.reconcile()
    containers = room.live(kinds.DEPLOYMENT, "executive-lorax")["spec"]["template"]["spec"]["containers"]
    assert containers[0]["image"] == "mended:1"


@pytest.mark.parametrize(
    ("defaults", "service"),
    [(Defaults(lorax_port=9999), "executive-lorax"), (Defaults(max_members=1), "executive-coordinator")],
)
async def test_what_is_missing_of_a_board_that_waits_comes_back_as_its_pods_need_it(
    defaults: Defaults, service: str
) -> None:
    room = await ready_room()
    room.store.remove(kinds.SERVICE, room.live(kinds.SERVICE, service))
    before = room.kube.objects.pop((kinds.SERVICE, ("team", service)))
    room = succeeded(room, defaults, busy=True)
    await room.reconcile()
    assert room.live(kinds.SERVICE, service)["spec"] == before["spec"]
    assert room.condition(kinds.BOARDROOM, "executive", "UpToDate") == ("False", "WaitingForTurn")


async def test_members_follow_the_settings_that_the_coordinator_runs_by() -> None:
    room = succeeded(await ready_room(), Defaults(max_members=1), busy=True)
    room.has(kinds.BOARDAGENT, agent_object("CFO"))
    await room.reconcile()
    assert room.condition(kinds.BOARDAGENT, "cfo", "Accepted") == ("True", "Accepted")
    role = room.live(kinds.ROLE, "executive-coordinator")
    assert role["rules"][-1]["resourceNames"] == ["ceo", "cfo"]


async def test_lorax_that_is_disabled_by_default_is_removed_by_a_rollout() -> None:
    off = Defaults(enable_lorax=False)
    room = succeeded(await ready_room(), off, busy=True)
    await room.reconcile()
    assert (kinds.DEPLOYMENT, ("team", "executive-lorax")) in room.kube.objects
    room = succeeded(room, off)
    await room.reconcile()
    assert (kinds.DEPLOYMENT, ("team", "executive-lorax")) not in room.kube.objects


async def test_a_rollout_that_takes_too_long_ends() -> None:
    room = await ready_room()
    now = [0.0]
    defaults = Defaults(lorax_port=9999)
    rollouts = Rollouts(clock=lambda: now[0], wake=lambda _: None)
    room = Room(kube=room.kube, store=room.store, rollouts=rollouts, defaults=defaults)
    await room.reconcile()
    room.has(kinds.POD, room.live(kinds.POD, "executive-lorax-1") | {"status": {"containerStatuses": []}})
    again = await room.reconcile()
    assert again == 120
    assert rollouts.is_rolling(KEY)
    now[0] = 1800 + 900
    await room.reconcile()
    assert not rollouts.is_rolling(KEY)
    assert room.condition(kinds.BOARDROOM, "executive", "UpToDate") == ("True", "UpToDate")


async def test_a_coordinator_with_a_new_account_is_replaced_at_once_though_others_roll() -> None:
    room = succeeded(await ready_room(), Defaults(), busy=True)
    account = room.live(kinds.SERVICE_ACCOUNT, "executive-coordinator")
    del room.kube.objects[kinds.SERVICE_ACCOUNT, ("team", "executive-coordinator")]
    room.store.remove(kinds.SERVICE_ACCOUNT, account)
    room.kube.made = "2026-11-25T00:00:00Z"
    assert await room.reconcile() == 0, "the pods next, by what is made now"
    anew = room.live(kinds.SERVICE_ACCOUNT, "executive-coordinator")
    room.has(kinds.SERVICE_ACCOUNT, anew | {"metadata": anew["metadata"] | {"uid": "anew"}})
    room.kube.requests.clear()
    await room.reconcile()
    template = room.live(kinds.DEPLOYMENT, "executive-coordinator")["spec"]["template"]["metadata"]
    assert template["annotations"] == {"boardroom.dev/service-account": "anew"}
    assert {name for _, kind, name in room.kube.writes if kind == "Deployment"} == {"executive-coordinator"}
    assert room.condition(kinds.BOARDROOM, "executive", "UpToDate") == ("True", "UpToDate")
    settle(room)
    await room.reconcile()
    room.kube.requests.clear()
    await room.reconcile()
    assert room.kube.requests == []
