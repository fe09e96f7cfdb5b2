"""Each watch event reaches the cache and the queue, and lists repair what no watch reports."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from boardroom.controller.serving.metrics import Metrics
from boardroom.controller.watch.cache import Store
from boardroom.controller.watch.informer import Informer, NamespaceAppearedError, settings
from boardroom.controller.watch.queue import WorkQueue
from boardroom.controller.watch.watches import Watches
from boardroom.kube.errors import KubeError, NotFoundError, RefusedError
from boardroom.kube.kinds import BOARDAGENT, BOARDROOM, DEPLOYMENT, POD, WATCHED, Key, Kind
from boardroom.kube.protocol import Page, Selection
from unit.controller.objects import agent_object, board_object, pod
from unit.kube.fake_kube import FakeKube

KEY = ("team", "executive")


@pytest.fixture
async def informer() -> AsyncIterator[Informer]:
    queue: WorkQueue[Key] = WorkQueue(asyncio.get_running_loop().call_later)
    found = Informer(FakeKube(), Store(), queue, Metrics(), Watches(lambda: 0.0), resync_seconds=0.01)
    lists = asyncio.create_task(found.run())
    yield found
    lists.cancel()


@pytest.fixture
def kube(informer: Informer) -> FakeKube:
    assert isinstance(informer.kube, FakeKube)
    return informer.kube


async def synced(informer: Informer) -> None:
    """Kopf has listed everything."""
    for kind in informer.kinds:
        informer.on_kopf_listed(kind.path())
    async with asyncio.timeout(10):
        await informer.synced.wait()


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110 (a fake API server tells nobody what it was asked)
            await asyncio.sleep(0)


async def next_board(informer: Informer) -> Key:
    async with asyncio.timeout(10):
        key = await informer.queue.get()
    informer.queue.done(key)
    return key


@pytest.mark.parametrize("type_", [None, "ADDED", "MODIFIED"])
async def test_an_event_is_kept_and_its_board_is_due(informer: Informer, type_: str | None) -> None:
    await synced(informer)
    informer.on_event(BOARDROOM, type_, board_object())
    assert informer.store.get(BOARDROOM, *KEY) is not None
    assert await next_board(informer) == KEY


async def test_a_deletion_is_kept_and_its_board_is_due(informer: Informer) -> None:
    await synced(informer)
    informer.store.put(BOARDAGENT, agent_object("CEO"))
    informer.on_event(BOARDAGENT, "DELETED", agent_object("CEO"))
    assert informer.store.of_board(BOARDAGENT, KEY) == []
    assert await next_board(informer) == KEY


async def test_an_event_that_tells_nothing_new_wakes_nobody(informer: Informer) -> None:
    await synced(informer)
    informer.store.put(BOARDROOM, board_object())
    informer.on_event(BOARDROOM, "MODIFIED", board_object())
    assert len(informer.queue) == 0


async def test_no_board_is_reconciled_before_every_watch_runs(informer: Informer, kube: FakeKube) -> None:
    kube.put(BOARDROOM, board_object())
    informer.on_event(BOARDROOM, None, board_object())
    for kind in informer.kinds[:-1]:
        informer.on_kopf_listed(kind.path())
    await until(lambda: len(kube.requests) == len(informer.kinds) - 1)
    assert (len(informer.queue), informer.synced.is_set()) == (0, False)
    informer.on_kopf_listed(informer.kinds[-1].path())
    assert await next_board(informer) == KEY
    assert informer.synced.is_set()


async def test_what_vanished_before_kopf_listed_is_found_out(informer: Informer, kube: FakeKube) -> None:
    kube.put(BOARDROOM, board_object())
    await synced(informer)
    assert await next_board(informer) == KEY
    del kube.objects[BOARDROOM, KEY]
    informer.on_kopf_listed(BOARDROOM.path())
    assert await next_board(informer) == KEY
    assert informer.store.get(BOARDROOM, *KEY) is None


async def test_a_list_that_failed_is_tried_again(
    informer: Informer, kube: FakeKube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("boardroom.controller.watch.informer.RETRY_SECONDS", 0.01)
    kube.failures["list", "Pod"] = KubeError(500, "down")
    informer.on_kopf_listed(POD.path())
    await until(lambda: len(kube.requests) > 1)
    del kube.failures["list", "Pod"]
    kube.put(POD, pod())
    await until(lambda: informer.store.of_board(POD, KEY) != [])


async def test_a_kind_that_is_gone_takes_its_objects_along_and_is_seen_once_it_is_back(
    informer: Informer, kube: FakeKube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("boardroom.controller.watch.informer.RETRY_SECONDS", 0.01)
    kube.put(BOARDROOM, board_object())
    await synced(informer)
    assert await next_board(informer) == KEY
    kube.failures["list", "Boardroom"] = NotFoundError(404, "404 page not found")
    informer.on_kopf_listed(BOARDROOM.path())
    assert await next_board(informer) == KEY
    assert informer.store.get(BOARDROOM, *KEY) is None
    del kube.failures["list", "Boardroom"]
    assert await next_board(informer) == KEY
    assert informer.store.get(BOARDROOM, *KEY) is not None


@dataclass
class Confined(FakeKube):
    """An API server that lets some namespaces not be looked at."""

    shut: set[str] = field(default_factory=set)

    def pages(self, kind: Kind, selection: Selection) -> AsyncIterator[Page]:
        if selection.namespace in self.shut:
            raise RefusedError(403, f"cannot list {kind.plural} in {selection.namespace}")
        return super().pages(kind, selection)


@pytest.fixture
def confined(informer: Informer, monkeypatch: pytest.MonkeyPatch) -> Confined:
    monkeypatch.setattr("boardroom.controller.watch.informer.RETRY_SECONDS", 0.01)
    monkeypatch.setattr("boardroom.controller.watch.informer._ABSENT_SECONDS", 0.01)
    found = Confined()
    informer.kube, informer.namespaces = found, ("team", "gone")
    return found


async def test_a_namespace_that_cannot_be_listed_does_not_keep_the_others_waiting(
    informer: Informer, confined: Confined
) -> None:
    confined.shut = {"gone"}
    async with asyncio.timeout(10):
        assert await informer.wait_until_listable()
    assert (informer.namespaces, informer.absent) == (["team"], {"gone"})
    confined.put(BOARDROOM, board_object())
    for kind in informer.kinds:
        informer.on_kopf_listed(kind.path("team"))
    assert await next_board(informer) == KEY


async def test_if_no_namespace_can_be_listed_the_first_is_waited_for(informer: Informer, confined: Confined) -> None:
    confined.shut = {"team", "gone"}
    waiting = asyncio.create_task(informer.wait_until_listable())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    confined.shut = {"gone"}
    async with asyncio.timeout(10):
        assert await waiting


async def test_a_namespace_that_goes_does_not_end_the_resyncs_of_the_others(
    informer: Informer, confined: Confined
) -> None:
    async with asyncio.timeout(10):
        assert await informer.wait_until_listable()
    for kind in informer.kinds:
        for namespace in informer.namespaces:
            informer.on_kopf_listed(kind.path(namespace))
    async with asyncio.timeout(10):
        await informer.synced.wait()
    confined.put(BOARDROOM, board_object())
    confined.shut = {"gone"}
    resync = asyncio.create_task(informer.resync())
    for _ in range(3):
        assert await next_board(informer) == KEY
    resync.cancel()
    assert informer.absent == {"gone"}


async def test_a_namespace_that_can_be_listed_again_restarts_the_operator(
    informer: Informer, confined: Confined
) -> None:
    informer.absent = {"gone"}
    confined.shut = {"gone"}
    waiting = asyncio.create_task(informer.watch_absent_namespaces())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    confined.shut = set()
    with pytest.raises(NamespaceAppearedError, match="namespace gone can be listed now"):
        await asyncio.wait_for(waiting, 10)


async def test_a_resync_lists_everything_and_reconciles_every_board(informer: Informer, kube: FakeKube) -> None:
    kube.put(BOARDROOM, board_object())
    await synced(informer)
    assert await next_board(informer) == KEY
    kube.requests.clear()
    resync = asyncio.create_task(informer.resync())
    assert await next_board(informer) == KEY
    resync.cancel()
    assert {kind for _, kind, _ in kube.requests} == {kind.name for kind in WATCHED}


async def test_what_is_owned_is_listed_by_label_and_our_own_kinds_whole(informer: Informer, kube: FakeKube) -> None:
    await synced(informer)
    selectors = {kind: selector for _, kind, selector in kube.requests}
    assert (selectors["Boardroom"], selectors["BoardAgent"]) == ("", "")
    assert {selectors[k.name] for k in WATCHED if k not in (BOARDROOM, BOARDAGENT)} == {"boardroom.dev/board"}


@pytest.mark.parametrize("kind", [DEPLOYMENT, POD])
def test_kopf_watches_what_is_owned_by_label(kind: Kind) -> None:
    selectors: dict[Any, str] = dict(settings().watching.label_selectors)
    found = [
        value
        for selector, value in selectors.items()
        if (selector.group, selector.any_name) == (kind.group, kind.plural)
    ]
    assert found == ["boardroom.dev/board"]


def test_kopf_writes_nothing_of_its_own() -> None:
    found = settings()
    assert (found.posting.enabled, found.posting.loggers, found.peering.standalone, found.scanning.disabled) == (
        False, False, True, True,
    )  # fmt: skip
    assert found.queueing.worker_limit is None
