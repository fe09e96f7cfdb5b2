"""A list that a watch keeps current, through everything that happens to watches."""

import asyncio
from typing import Any

import pytest

from boardroom.kube.errors import ExpiredError, KubeError
from boardroom.kube.kinds import BOARDROOM
from boardroom.kube.protocol import Page, Selection
from boardroom.kube.reflector import Reflector
from tools.waiting import eventually
from unit.kube.fake_kube import FakeKube

EVERYWHERE = Selection(namespace=None)


def item(name: str, version: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": version}}


def listed(version: str, *names: str) -> Page:
    return Page(items=[item(name, version) for name in names], resource_version=version)


def event(kind: str, name: str, version: str) -> dict[str, Any]:
    return {"type": kind, "object": item(name, version)}


GONE = {"type": "ERROR", "object": {"code": 410, "message": "too old resource version"}}
BOOKMARK = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}}


async def follow(kube: FakeKube, names: set[str], watches: int) -> list[str]:
    """Run until these objects are there and so many watches were opened; the versions that they began from."""
    reflector = Reflector(kube, BOARDROOM, EVERYWHERE, lambda: None)
    task = asyncio.create_task(reflector.run())
    await eventually(lambda: len(kube.watched_from) == watches and set(reflector.objects) == names)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return kube.watched_from


async def test_events_are_applied_to_the_list() -> None:
    kube = FakeKube()
    kube.lists = [listed("1", "a", "b")]
    kube.watches = [[event("ADDED", "c", "2"), event("DELETED", "a", "3"), event("MODIFIED", "b", "4")]]
    assert await follow(kube, {"b", "c"}, 2) == ["1", "4"]
    assert [verb for verb, _, _ in kube.requests].count("list") == 1


async def test_a_bookmark_moves_the_version_and_nothing_else() -> None:
    kube = FakeKube()
    kube.lists = [listed("1", "a")]
    kube.watches = [[BOOKMARK]]
    assert await follow(kube, {"a"}, 2) == ["1", "9"]


@pytest.mark.parametrize("gone", [GONE, ExpiredError(410, "expired")])
async def test_an_expired_version_is_listed_anew(gone: Any) -> None:
    """What vanished meanwhile sends no event."""
    kube = FakeKube()
    kube.lists = [listed("1", "a"), listed("7", "b")]
    kube.watches = [[gone]]
    assert await follow(kube, {"b"}, 2) == ["1", "7"]


async def test_a_broken_connection_is_resumed_where_it_broke() -> None:
    kube = FakeKube()
    kube.lists = [listed("1")]
    kube.watches = [[event("ADDED", "a", "5"), KubeError(0, "connection reset")]]
    assert await follow(kube, {"a"}, 2) == ["1", "5"]
    assert [verb for verb, _, _ in kube.requests].count("list") == 1


async def test_watches_that_end_at_once_are_not_asked_for_in_a_tight_loop() -> None:
    """As behind a proxy that closes them."""
    kube = FakeKube()
    kube.lists = [listed("1")]
    kube.watches = [[] for _ in range(100)]
    task = asyncio.create_task(Reflector(kube, BOARDROOM, EVERYWHERE, lambda: None).run())
    for _ in range(200):
        await asyncio.sleep(0)
    task.cancel()
    assert kube.watched_from == ["1"]


async def test_an_api_server_that_is_away_is_asked_again() -> None:
    kube = FakeKube()
    kube.lists = [KubeError(0, "refused"), KubeError(503, "starting", retry_after=0.01), listed("1", "a")]
    assert await follow(kube, {"a"}, 1) == ["1"]
