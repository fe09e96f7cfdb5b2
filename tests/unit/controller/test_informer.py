"""Every watch event reaches the store and the queue, and lists make good what no watch reports."""

import asyncio

import pytest

from boardroom.controller.informer import Informer, settings
from boardroom.controller.kinds import BOARDAGENT, BOARDROOM, DEPLOYMENT, POD, WATCHED, Key, Kind
from boardroom.controller.metrics import Metrics
from boardroom.controller.queue import WorkQueue
from boardroom.controller.store import Store
from boardroom.controller.watches import Watches
from unit.controller.fake_kube import FakeKube
from unit.controller.objects import agent_object, board_object

KEY = ("team", "executive")


@pytest.fixture
async def informer() -> Informer:
    queue: WorkQueue[Key] = WorkQueue(asyncio.get_running_loop().call_later)
    return Informer(FakeKube(), Store(), queue, Metrics(), Watches(lambda: 0.0))


@pytest.mark.parametrize("type_", [None, "ADDED", "MODIFIED"])
async def test_an_event_is_kept_and_its_board_is_due(informer: Informer, type_: str | None) -> None:
    informer.seen(BOARDROOM, type_, board_object())
    assert informer.store.get(BOARDROOM, *KEY) is not None
    assert await informer.queue.get() == KEY


async def test_a_deletion_is_kept_and_its_board_is_due(informer: Informer) -> None:
    informer.store.put(BOARDAGENT, agent_object("CEO"))
    informer.seen(BOARDAGENT, "DELETED", agent_object("CEO"))
    assert informer.store.of_board(BOARDAGENT, KEY) == []
    assert await informer.queue.get() == KEY


async def test_an_event_that_tells_nothing_new_wakes_nobody(informer: Informer) -> None:
    informer.store.put(BOARDROOM, board_object())
    informer.seen(BOARDROOM, "MODIFIED", board_object())
    assert len(informer.queue) == 0


async def test_a_sync_has_every_board_looked_at(informer: Informer) -> None:
    kube = informer.kube
    assert isinstance(kube, FakeKube)
    kube.put(BOARDROOM, board_object())
    await informer.sync()
    assert await informer.queue.get() == KEY
    assert informer.synced.is_set()


async def test_a_sync_finds_out_what_is_gone(informer: Informer) -> None:
    informer.store.put(BOARDROOM, board_object())
    await informer.sync()
    assert informer.store.get(BOARDROOM, *KEY) is None
    assert await informer.queue.get() == KEY


async def test_what_is_owned_is_listed_by_label_and_our_own_kinds_whole(informer: Informer) -> None:
    kube = informer.kube
    assert isinstance(kube, FakeKube)
    await informer.sync()
    selectors = {kind: selector for _, kind, selector in kube.requests}
    assert (selectors["Boardroom"], selectors["BoardAgent"]) == ("", "")
    assert {selectors[k.name] for k in WATCHED if k not in (BOARDROOM, BOARDAGENT)} == {"boardroom.dev/board"}


@pytest.mark.parametrize("kind", [DEPLOYMENT, POD])
def test_kopf_watches_what_is_owned_by_label(kind: Kind) -> None:
    selectors = settings().watching.label_selectors
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
