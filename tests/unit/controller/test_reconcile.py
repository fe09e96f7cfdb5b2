"""One reconcile: what it writes, what it leaves alone, and that a second one writes nothing."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Never

import pytest
from hypothesis import given

from boardroom.api.settings import Defaults
from boardroom.controller.apply.bindings import Bindings
from boardroom.controller.apply.children import Children
from boardroom.controller.apply.contests import FIRST_SECONDS, Contests
from boardroom.controller.events import Recorder
from boardroom.controller.operator_leases import OperatorLeases
from boardroom.controller.ownership import Ownership
from boardroom.controller.rate_limiter import RateLimiter
from boardroom.controller.reconcile import Reconciler
from boardroom.controller.rollouts import Rollouts
from boardroom.controller.status.coordinator_leases import CoordinatorLeases
from boardroom.controller.status.coordinator_status import CoordinatorStatus
from boardroom.controller.status_writer import StatusWriter
from boardroom.controller.watch.cache import Store
from boardroom.kube import kinds
from boardroom.kube.errors import KubeError, NamespaceTerminatingError, RefusedError, WebhookError
from boardroom.kube.kinds import Kind, Object
from unit.controller.objects import IMAGE, agent_object, board_object
from unit.controller.specs import SPECS, Spec
from unit.kube.fake_kube import FakeKube

KEY = ("team", "executive")
NOW = datetime(2026, 11, 24, tzinfo=UTC)


@dataclass
class Room:
    """A reconciler on an API server of dicts."""

    kube: FakeKube = field(default_factory=FakeKube)
    store: Store = field(default_factory=Store)
    rollouts: Rollouts = field(default_factory=lambda: Rollouts(clock=lambda: 0.0, wake=lambda _: None))
    defaults: Defaults = field(default_factory=Defaults)
    seconds: float = 0.0
    operator: str | None = None
    """The namespace of the operator's Lease."""

    def __post_init__(self) -> None:
        recorder = Recorder(self.kube, lambda: NOW, "test")
        operator_leases = OperatorLeases(self.kube, lambda: self.seconds)
        self.reconciler = Reconciler(
            store=self.store,
            children=Children(self.kube, self.store, Contests(lambda: self.seconds)),
            bindings=Bindings(kube=self.kube, store=self.store),
            status=StatusWriter(kube=self.kube, store=self.store, recorder=recorder, now=lambda: NOW),
            coordinator_status=CoordinatorStatus(
                self.kube, self.store, CoordinatorLeases(self.kube, lambda: self.seconds), lambda: NOW
            ),
            rollouts=self.rollouts,
            rate_limiter=RateLimiter(lambda: self.seconds),
            ownership=Ownership(self.kube, self.store, operator_leases, recorder, lambda: NOW, self.operator),
            recorder=recorder,
            defaults=self.defaults,
            image=IMAGE,
            now=lambda: NOW,
        )

    def has(self, kind: Kind, obj: Object) -> None:
        """An object that exists and was seen by the watch."""
        self.store.put(kind, self.kube.put(kind, obj))

    async def reconcile(self) -> float | None:
        return await self.reconciler.reconcile(KEY)

    def live(self, kind: Kind, name: str) -> Object:
        return self.kube.objects[kind, ("team", name)]

    def condition(self, kind: Kind, name: str, type_: str) -> tuple[str, str]:
        return next(
            (c["status"], c["reason"]) for c in self.live(kind, name)["status"]["conditions"] if c["type"] == type_
        )


@pytest.fixture
def room() -> Room:
    return Room()


async def test_names_that_nobody_has_seen_are_asked_for_before_anything_is_written(room: Room) -> None:
    room.has(kinds.BOARDROOM, board_object())
    await room.reconcile()
    verbs = [verb for verb, _, _ in room.kube.requests]
    asked, applied = verbs.count("get"), verbs.count("apply")
    assert verbs[: asked + 1] == ["get"] * asked + ["apply"]
    assert asked == applied - 1  # Bindings writes the ClusterRoleBinding


async def test_needs_are_applied_before_the_pods_that_need_them(room: Room) -> None:
    room.has(kinds.BOARDROOM, board_object())
    await room.reconcile()
    applied = [(kind, name) for verb, kind, name in room.kube.requests if verb == "apply"]
    assert applied == [
        ("ServiceAccount", "executive-coordinator"),
        ("Role", "executive-coordinator"),
        ("RoleBinding", "executive-coordinator"),
        ("ServiceAccount", "executive-client"),
        ("Role", "executive-client"),
        ("RoleBinding", "executive-client"),
        ("NetworkPolicy", "executive-lorax"),
        ("NetworkPolicy", "executive-coordinator"),
        ("Service", "executive-lorax"),
        ("Deployment", "executive-lorax"),
        ("Service", "executive-coordinator"),
        ("Deployment", "executive-coordinator"),
        ("ClusterRoleBinding", "boardroom:team:executive"),
    ]


@given(spec=SPECS)
def test_a_second_reconcile_writes_nothing(spec: Spec) -> None:
    async def twice() -> list[tuple[str, str, str]]:
        room = Room()
        room.has(kinds.BOARDROOM, board_object(**spec))
        room.has(kinds.BOARDAGENT, agent_object("CEO"))
        await room.reconcile()
        room.kube.requests.clear()
        await room.reconcile()
        return room.kube.requests

    assert asyncio.run(twice()) == []


async def test_drift_is_written_over_once(room: Room) -> None:
    room.has(kinds.BOARDROOM, board_object())
    await room.reconcile()
    drifted = room.live(kinds.SERVICE, "executive-lorax") | {"spec": {"clusterIP": "10.0.0.1"}}
    room.has(kinds.SERVICE, drifted)
    room.kube.requests.clear()
    await room.reconcile()
    await room.reconcile()
    assert room.kube.writes == [("apply", "Service", "executive-lorax")]
    assert room.live(kinds.SERVICE, "executive-lorax")["spec"]["clusterIP"] == "None"


async def test_a_status_that_moves_in_a_child_is_no_drift(room: Room) -> None:
    room.has(kinds.BOARDROOM, board_object())
    await room.reconcile()
    room.has(kinds.SERVICE, room.live(kinds.SERVICE, "executive-lorax") | {"status": {"loadBalancer": {}}})
    room.kube.requests.clear()
    await room.reconcile()
    assert room.kube.writes == []


async def test_a_foreign_object_is_left_alone_and_told(room: Room) -> None:
    foreign = {"metadata": {"name": "executive-lorax", "namespace": "team", "uid": "x"}, "spec": {"ports": []}}
    room.kube.put(kinds.SERVICE, foreign)
    room.has(kinds.BOARDROOM, board_object())
    again = await room.reconcile()
    assert room.live(kinds.SERVICE, "executive-lorax")["spec"] == {"ports": []}
    assert room.condition(kinds.BOARDROOM, "executive", "Stalled") == ("True", "NameConflict")
    assert again == 60


async def test_what_a_deleted_board_of_this_name_left_is_waited_for(room: Room) -> None:
    owner = {"kind": "Boardroom", "name": "executive", "uid": "older", "controller": True}
    old = {"metadata": {"name": "executive-lorax", "namespace": "team", "uid": "x", "ownerReferences": [owner]}}
    room.kube.put(kinds.SERVICE, old)
    room.has(kinds.BOARDROOM, board_object())
    await room.reconcile()
    assert room.condition(kinds.BOARDROOM, "executive", "Ready") == ("False", "WaitingForDeletion")
    assert room.condition(kinds.BOARDROOM, "executive", "Stalled")[0] == "False"


async def test_an_object_that_came_since_we_looked_is_not_overwritten(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.has(kinds.BOARDROOM, board_object())

    async def looked_away(kind: Kind, namespace: str, name: str) -> Object | None:
        return None

    foreign = {"metadata": {"name": "executive-lorax", "namespace": "team", "uid": "x"}, "spec": {"ports": []}}
    room.kube.put(kinds.SERVICE, foreign)
    monkeypatch.setattr(room.kube, "get", looked_away)
    await room.reconcile()
    assert room.live(kinds.SERVICE, "executive-lorax")["spec"] == {"ports": []}
    assert room.condition(kinds.BOARDROOM, "executive", "Ready") == ("False", "NameConflict")


async def test_one_refused_object_does_not_stop_the_rest(room: Room) -> None:
    room.has(kinds.BOARDROOM, board_object(model={"id": "m", "cache": {"size": "1Gi"}}))
    room.kube.failures["apply", "PersistentVolumeClaim"] = RefusedError(422, "can not be less")
    await room.reconcile()
    assert room.live(kinds.DEPLOYMENT, "executive-lorax")["spec"]["replicas"] == 1
    assert room.condition(kinds.BOARDROOM, "executive", "Stalled") == ("True", "ApplyRefused")


async def test_what_may_not_be_deleted_is_said_and_does_not_stop_the_rest(room: Room) -> None:
    room.has(kinds.BOARDROOM, board_object())
    await room.reconcile()
    for kind, name in [(k, key[1]) for k, key in room.kube.objects if k in kinds.CHILDREN]:
        room.store.put(kind, room.live(kind, name))
    room.has(kinds.BOARDROOM, board_object(enableLorax=False))
    room.kube.failures["delete", "Deployment"] = RefusedError(403, "nothing is deleted here")
    assert await room.reconcile() == 60.0
    assert room.condition(kinds.BOARDROOM, "executive", "Stalled") == ("True", "ApplyRefused")
    assert (kinds.SERVICE, ("team", "executive-lorax")) not in room.kube.objects


@pytest.mark.parametrize("kind", ["Deployment", "ClusterRoleBinding"])
async def test_a_webhook_that_does_not_answer_is_waited_for(room: Room, kind: str) -> None:
    room.has(kinds.BOARDROOM, board_object())
    room.kube.failures["apply", kind] = WebhookError(500, "connection refused")
    assert await room.reconcile() == 10.0
    assert room.condition(kinds.BOARDROOM, "executive", "Ready") == ("False", "WebhookFailed")
    assert room.condition(kinds.BOARDROOM, "executive", "Stalled") == ("False", "NotStalled")


async def test_a_board_in_a_namespace_that_is_being_deleted_goes_in_peace(room: Room) -> None:
    room.has(kinds.BOARDROOM, board_object())
    room.kube.failures["apply", "Deployment"] = NamespaceTerminatingError(403, "it goes")
    assert await room.reconcile() is None
    assert "conditions" not in room.live(kinds.BOARDROOM, "executive")["status"]


async def test_an_api_server_that_fails_is_not_the_boards_fault(room: Room) -> None:
    room.has(kinds.BOARDROOM, board_object())
    room.kube.failures["apply", "Deployment"] = KubeError(503, "later", 7)
    with pytest.raises(KubeError):
        await room.reconcile()
    assert "conditions" not in room.live(kinds.BOARDROOM, "executive")["status"]


async def test_a_fault_of_ours_is_told_by_an_event_because_no_status_can(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Never:
        raise ValueError("Port out of range 0-65535")

    monkeypatch.setattr(room.reconciler.children, "converge", broken)
    room.has(kinds.BOARDROOM, board_object())
    for _ in range(2):
        with pytest.raises(ValueError, match="Port out of range"):
            await room.reconcile()
    [event] = [obj for (kind, _), obj in room.kube.objects.items() if kind is kinds.EVENT]
    assert (event["type"], event["reason"], event["regarding"]["name"]) == ("Warning", "ReconcileFailed", "executive")
    assert "ValueError: Port out of range" in event["note"]


async def test_without_lorax_its_objects_are_deleted_and_no_others(room: Room) -> None:
    room.has(kinds.BOARDROOM, board_object())
    await room.reconcile()
    room.has(
        kinds.BOARDROOM,
        room.live(kinds.BOARDROOM, "executive") | {"spec": {"model": {"id": "m"}, "enableLorax": False}},
    )
    room.kube.requests.clear()
    await room.reconcile()
    assert [r for r in room.kube.writes if r[0] == "delete"] == [
        ("delete", "Deployment", "executive-lorax"),
        ("delete", "Service", "executive-lorax"),
        ("delete", "NetworkPolicy", "executive-lorax"),
    ]


async def test_a_foreign_object_is_not_deleted_either(room: Room) -> None:
    room.has(kinds.SERVICE, {"metadata": {"name": "executive-lorax", "namespace": "team", "uid": "x"}, "spec": {}})
    room.has(kinds.BOARDROOM, board_object(enableLorax=False))
    await room.reconcile()
    assert room.live(kinds.SERVICE, "executive-lorax")["metadata"]["uid"] == "x"


async def test_a_board_that_is_being_deleted_is_left_to_the_garbage_collector(room: Room) -> None:
    board = board_object()
    board["metadata"]["deletionTimestamp"] = "2026-11-24T00:00:00Z"
    room.has(kinds.BOARDROOM, board)
    await room.reconcile()
    assert room.kube.requests == []


async def test_agents_of_no_board_are_told(room: Room) -> None:
    room.has(kinds.BOARDAGENT, agent_object("CEO"))
    await room.reconcile()
    assert room.condition(kinds.BOARDAGENT, "ceo", "Accepted") == ("False", "BoardroomNotFound")
    assert room.condition(kinds.BOARDAGENT, "ceo", "Ready") == ("False", "BoardroomNotFound")


async def test_a_board_that_our_model_refuses_stalls_and_nothing_of_it_is_touched(room: Room) -> None:
    room.has(kinds.BOARDROOM, board_object() | {"spec": {"model": {}}})
    await room.reconcile()
    assert room.condition(kinds.BOARDROOM, "executive", "Stalled") == ("True", "InvalidSpec")
    assert [r for r in room.kube.requests if r[0] == "apply"] == []


async def test_an_agent_that_our_model_refuses_is_rejected_and_the_rest_go_on(room: Room) -> None:
    room.has(kinds.BOARDROOM, board_object())
    room.has(kinds.BOARDAGENT, agent_object("CEO"))
    room.has(kinds.BOARDAGENT, agent_object("CFO") | {"spec": {"boardroomRef": {"name": "executive"}, "role": "7"}})
    await room.reconcile()
    assert room.condition(kinds.BOARDAGENT, "cfo", "Accepted") == ("False", "InvalidSpec")
    assert room.condition(kinds.BOARDAGENT, "ceo", "Accepted") == ("True", "Accepted")


async def test_events_tell_transitions_and_nothing_twice(room: Room) -> None:
    room.has(kinds.BOARDROOM, board_object(enableLorax=False))
    room.has(kinds.BOARDAGENT, agent_object("CEO"))
    for _ in range(2):
        await room.reconcile()
    events = [name for verb, kind, name in room.kube.requests if (verb, kind) == ("create", "Event")]
    assert events == ["BoardStalled", "LoraxDisabled"]


async def test_a_lost_event_does_not_fail_the_reconcile(room: Room) -> None:
    room.has(kinds.BOARDROOM, board_object(enableLorax=False))
    room.kube.failures["create", "Event"] = RefusedError(403, "no")
    await room.reconcile()
    assert room.condition(kinds.BOARDROOM, "executive", "Ready") == ("False", "NoEngine")


async def test_of_many_edits_that_replace_pods_the_last_one_counts() -> None:
    room = Room()
    room.has(kinds.BOARDROOM, board_object())
    await room.reconcile()
    timeouts: list[int] = []
    for seconds in range(100, 120):
        room.has(kinds.BOARDROOM, board_object(generation=seconds, coordinator={"requestTimeoutSeconds": seconds}))
        await room.reconcile()
        timeouts.append(timeout(room))
    assert timeouts == [100, 101, *[102] * 18]
    assert room.live(kinds.BOARDROOM, "executive")["status"]["observedGeneration"] == -1
    room.seconds += 10.0
    await room.reconcile()
    assert room.live(kinds.BOARDROOM, "executive")["status"]["observedGeneration"] == 119
    assert timeout(room) == 119


def timeout(room: Room) -> int:
    pod = room.live(kinds.DEPLOYMENT, "executive-coordinator")["spec"]["template"]["spec"]
    return int(pod["terminationGracePeriodSeconds"]) - 30


async def test_a_board_that_is_suspended_and_resumed_in_turn_is_so_now_and_then() -> None:
    room = Room()
    room.has(kinds.BOARDROOM, board_object())
    await room.reconcile()
    states: list[int] = []
    for generation in range(2, 12):
        room.has(kinds.BOARDROOM, board_object(generation=generation, suspend=generation % 2 == 0))
        await room.reconcile()
        states.append(room.live(kinds.DEPLOYMENT, "executive-lorax")["spec"]["replicas"])
    assert states == [0, 1, *[0] * 8]


async def test_a_writer_that_keeps_overwriting_a_field_of_ours_is_named_and_left_alone() -> None:
    room = Room()
    room.has(kinds.BOARDROOM, board_object())
    await room.reconcile()
    for _ in range(10):
        live = room.live(kinds.DEPLOYMENT, "executive-coordinator")
        owns = {"manager": "scaler", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
        metadata = live["metadata"] | {"managedFields": [owns]}
        room.has(kinds.DEPLOYMENT, live | {"metadata": metadata, "spec": live["spec"] | {"replicas": 2}})
        room.kube.requests.clear()
        again = await room.reconcile()
    assert room.condition(kinds.BOARDROOM, "executive", "UpToDate") == ("False", "FieldsContested")
    assert [r for r in room.kube.writes if r[1] == "Deployment"] == []
    assert again is not None
    assert again <= FIRST_SECONDS
    room.seconds += FIRST_SECONDS
    await room.reconcile()
    assert room.live(kinds.DEPLOYMENT, "executive-coordinator")["spec"]["replicas"] == 1
