"""Any valid board, edited in any order, on a real API server: what stands in the end depends on the last edit alone."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from boardroom.api.meta import OPERATOR_MANAGER
from boardroom.api.settings import Defaults
from boardroom.cluster.controlplane import ControlPlane
from boardroom.controller.apply.bindings import Bindings
from boardroom.controller.apply.children import Children
from boardroom.controller.events import Recorder
from boardroom.controller.operator_leases import OperatorLeases
from boardroom.controller.ownership import Ownership
from boardroom.controller.plan.blueprint import Image
from boardroom.controller.rate_limiter import RateLimiter
from boardroom.controller.reconcile import Reconciler
from boardroom.controller.rollouts import Rollouts
from boardroom.controller.status.coordinator_leases import CoordinatorLeases
from boardroom.controller.status.coordinator_status import CoordinatorStatus
from boardroom.controller.status_writer import StatusWriter
from boardroom.controller.watch.cache import Store
from boardroom.kube.client import KubeClient
from boardroom.kube.connection import Connection
from boardroom.kube.kinds import BOARDROOM, CHILDREN, CLUSTER_SCOPED, WATCHED, Key, Kind, key_of, selector
from boardroom.kube.protocol import Selection
from integration.boards import board
from integration.kube_api import KubeApi, Object
from unit.controller.specs import SPECS, Spec

NUMBERS = itertools.count()
OF_THE_SERVER = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "annotations")


def without_cache(spec: Spec) -> Spec:
    """A claim can't change once it is there, and a board whose cache would have to says so (ApplyRefused)."""
    return spec | {"model": {name: value for name, value in spec["model"].items() if name != "cache"}}


EDITS = st.lists(SPECS.map(without_cache), min_size=2, max_size=3)


@dataclass
class Operator:
    """The operator's reconcile, looking when the test says so; `requests` are those since it last looked."""

    kube: KubeApi
    client: KubeClient
    store: Store = field(default_factory=Store)
    requests: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        recorder = Recorder(self.client, now, "test")
        operator_leases = OperatorLeases(self.client, time.monotonic)
        self.reconciler = Reconciler(
            store=self.store,
            children=Children(self.client, self.store),
            bindings=Bindings(kube=self.client, store=self.store, clusterwide=True),
            status=StatusWriter(kube=self.client, store=self.store, recorder=recorder, now=now),
            coordinator_status=CoordinatorStatus(
                self.client, self.store, CoordinatorLeases(self.client, time.monotonic), now
            ),
            rollouts=Rollouts(clock=time.monotonic, wake=lambda _: None),
            rate_limiter=RateLimiter(itertools.count(step=1000).__next__),  # nobody waits
            ownership=Ownership(self.client, self.store, operator_leases, recorder, now, "boardroom-system"),
            recorder=recorder,
            defaults=Defaults(),
            image=Image(name="boardroom-operator:1"),
            now=now,
        )

    async def look(self, name: str) -> list[tuple[str, str]]:
        """Take in what is there and reconcile the board; returns its objects that were written.

        The status follows pods, which the Deployment controller makes meanwhile.
        """
        for kind in WATCHED:
            listed: set[Key] = set()
            version = ""
            namespace = None if kind in CLUSTER_SCOPED else self.kube.namespace
            async for page in self.client.pages(kind, Selection(namespace=namespace, labels=selector(kind))):
                listed.update(key_of(obj) for obj in page.items)
                for obj in page.items:
                    self.store.put(kind, obj)
                version = page.resource_version
            self.store.retain(kind, namespace, listed, version)
        self.requests.clear()
        await self.reconciler.reconcile((self.kube.namespace, name))
        return [(verb, kind) for verb, kind in self.requests if verb in ("APPLY", "DELETE")]

    def owned(self, name: str) -> dict[str, Object]:
        """Every object of the board as we made it, by kind and name; the board's name is not in it."""
        return {
            f"{kind}/{key[1].removeprefix(name)}": plain(obj, name)
            for kind in CHILDREN
            for obj in self.store.of_board(kind, (self.kube.namespace, name))
            if (key := key_of(obj))
        }


def plain(obj: Object, name: str) -> Object:
    """An object without what the API server alone decides, and without the names of its board."""
    metadata = {k: v for k, v in obj["metadata"].items() if k not in OF_THE_SERVER}
    for owner in metadata.get("ownerReferences", ()):
        owner.pop("uid")
    spec = {k: v for k, v in obj.get("spec", {}).items() if k not in ("clusterIP", "clusterIPs")}
    rest = {k: v for k, v in obj.items() if k not in ("metadata", "spec", "status")}
    text = json.dumps(rest | {"metadata": metadata, "spec": spec})
    found: Object = json.loads(text.replace(name, "BOARD"))
    return found


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def shared_kube(apiserver: ControlPlane) -> Iterator[KubeApi]:
    """One namespace for all examples, each of which has boards of its own."""
    with KubeApi(apiserver.kubeconfig, apiserver.server, "any-board") as kube:
        kube.http.post("/api/v1/namespaces", json={"metadata": {"name": kube.namespace}}).raise_for_status()
        yield kube
        kube.http.delete(f"/api/v1/namespaces/{kube.namespace}").raise_for_status()


@asynccontextmanager
async def operator(apiserver: ControlPlane, kube: KubeApi) -> AsyncIterator[Operator]:
    requests: list[tuple[str, str]] = []

    def observe(verb: str, kind: Kind, _status: int) -> None:
        requests.append((verb, kind.name))

    connection = await Connection.open(apiserver.kubeconfig)
    client = KubeClient(connection.configuration, OPERATOR_MANAGER, observe=observe)
    try:
        yield Operator(kube, client, requests=requests)
    finally:
        await client.close()
        await connection.close()


def edited(kube: KubeApi, name: str, spec: Spec) -> bool:
    """Whether the API server took the edit: some fields can't change."""
    live = kube.live(BOARDROOM.name, name)
    answer = kube.http.put(kube.path(BOARDROOM.name, name), json=live | {"spec": spec})
    assert answer.status_code in (200, 422), answer.text
    return answer.is_success


@settings(
    max_examples=20,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # an example takes a second or more: none is made smaller
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(edits=EDITS)
def test_any_edits_end_where_the_last_one_alone_would_and_then_nothing_is_written(
    apiserver: ControlPlane, shared_kube: KubeApi, edits: list[Spec]
) -> None:
    number = next(NUMBERS)
    names = f"edited{number}", f"direct{number}"

    async def both() -> tuple[dict[str, Object], dict[str, Object]]:
        async with operator(apiserver, shared_kube) as found:
            first, *rest = edits
            shared_kube.create(board(names[0], **first))
            await found.look(names[0])
            for spec in rest:
                assume(edited(shared_kube, names[0], spec))
                await found.look(names[0])
            shared_kube.create(board(names[1], **edits[-1]))
            await found.look(names[1])
            assert [await found.look(name) for name in names] == [[], []]
            assert [problems(shared_kube, name) for name in names] == [[], []]
            return found.owned(names[0]), found.owned(names[1])

    try:
        ended, alone = asyncio.run(both())
    finally:
        for name in names:
            shared_kube.http.delete(shared_kube.path(BOARDROOM.name, name))
    assert ended == alone


def problems(kube: KubeApi, name: str) -> list[Any]:
    """What of the board could not be written."""
    found = kube.condition(BOARDROOM.name, name, "Ready")
    return [found] if found["reason"] in ("ApplyRefused", "NameConflict", "InvalidSpec") else []
