"""The sidecar fetches: a list put again changes nothing, a restart finds what is there, what nobody wants goes."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from boardroom.adapters import Adapter, read
from boardroom.adapters.fetcher import GRACE_SECONDS, LINGER_SECONDS, Fetcher
from boardroom.adapters.protocol import DesiredSource, DesiredSources, ProblemEntry, SourceEntry
from boardroom.adapters.server import application
from boardroom.adapters.store import Store
from boardroom.adapters.synthetic import Shape, make_one
from boardroom.api.adapter import HuggingFaceSource
from component.adapters.hub_server import REPO, Hub
from component.coordinator.standing_board import served, until


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "store").mkdir()
    return Store(tmp_path / "store", limit=10_000_000)


def desired_sources(*urls: str, keep: tuple[str, ...] = (), max_bytes: int = 10_000_000) -> DesiredSources:
    sources = tuple(DesiredSource.of(HuggingFaceSource(repo=REPO, endpoint=url)) for url in urls)
    return DesiredSources(sources=sources, keep=keep, max_bytes=max_bytes)


async def entry_in_state(fetcher: Fetcher, state: str) -> SourceEntry:
    def matching() -> SourceEntry | None:
        (entry,) = fetcher.report()
        return entry if entry.state == state else None

    entry: SourceEntry = await until(matching)
    return entry


async def stored_path(fetcher: Fetcher) -> str:
    entry = await entry_in_state(fetcher, "ready")
    assert entry.path is not None
    return entry.path


async def failure(fetcher: Fetcher) -> ProblemEntry:
    entry = await entry_in_state(fetcher, "failed")
    assert entry.problem is not None
    return entry.problem


async def test_a_restarted_sidecar_finds_what_is_there_without_the_hub(adapter: Path, store: Store) -> None:
    async with served(Hub.of(adapter).app) as url:
        first = Fetcher(store)
        await first.set_desired(desired_sources(url))
        before = await stored_path(first)
    second = Fetcher(store)
    await second.set_desired(desired_sources(url))
    assert await stored_path(second) == before


@pytest.mark.parametrize("file", ["adapter_model.safetensors", "adapter_config.json"])
async def test_a_stored_adapter_that_a_crash_damaged_is_fetched_again(adapter: Path, store: Store, file: str) -> None:
    async with served(Hub.of(adapter).app) as url:
        first = Fetcher(store)
        await first.set_desired(desired_sources(url))
        path = Path(await stored_path(first))
        (path / file).write_bytes(b"")  # its name was on the disk already, its bytes were not
        second = Fetcher(store)
        await second.set_desired(desired_sources(url))
        await stored_path(second)
        assert [found.digest for found in await second.stored()] == [read(adapter).digest]


async def test_the_sidecars_of_two_servers_share_a_claim_and_fetch_once(store: Store, tmp_path: Path) -> None:
    make_one(tmp_path / "large", "CEO", Shape(layers=96, hidden=512))
    hub = Hub.of(tmp_path / "large", stall_after=2 << 20)
    large = 1 << 30
    shared = Store(store.root, limit=large)
    async with served(hub.app) as url:
        sidecars = [Fetcher(shared), Fetcher(shared)]
        for sidecar in sidecars:
            await sidecar.set_desired(desired_sources(url, max_bytes=large))
        await until(hub.ranges)
        await asyncio.sleep(0.5)  # so that the second one would begin too
        hub.going.set()
        for sidecar in sidecars:
            await stored_path(sidecar)
            assert [found.digest for found in await sidecar.stored()] == [read(tmp_path / "large").digest]
    assert len(hub.ranges()) == 1


async def test_what_failed_is_tried_again_with_the_secret_as_it_is_then(
    adapter: Path, store: Store, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    async with served(Hub.of(adapter, token="t0ken").app) as url:
        fetcher = Fetcher(store, secret, first_retry=0.05)
        await fetcher.set_desired(desired_sources(url))
        assert (await failure(fetcher)).reason == "CredentialsMissing"
        (secret / "HF_ENDPOINT").write_text(url)
        (secret / "HF_TOKEN").write_text("t0ken\n")
        await stored_path(fetcher)


@pytest.mark.parametrize("nonsense", ["[]", '{"name": 1}', '{"id": "a/b", "siblings": [{"path": "x"}]}'])
async def test_a_server_that_is_no_hub_is_said_and_tried_again(adapter: Path, store: Store, nonsense: str) -> None:
    hub = Hub.of(adapter)
    answers = iter([Response(nonsense, media_type="application/json")])

    async def first_nonsense(scope: Scope, receive: Receive, send: Send) -> None:
        await next(answers, hub.app)(scope, receive, send)

    async with served(first_nonsense) as url:
        fetcher = Fetcher(store, first_retry=0.05)
        await fetcher.set_desired(desired_sources(url))
        problem = await failure(fetcher)
        assert (problem.reason, "endpoint" in problem.message) == ("DownloadFailed", True)
        await stored_path(fetcher)


async def test_a_raised_limit_is_tried_at_once(adapter: Path, store: Store) -> None:
    async with served(Hub.of(adapter).app) as url:
        fetcher = Fetcher(store, first_retry=3600)
        await fetcher.set_desired(desired_sources(url, max_bytes=100))
        assert (await failure(fetcher)).reason == "TooLarge"
        await fetcher.set_desired(desired_sources(url))
        await stored_path(fetcher)


@pytest.mark.parametrize(
    ("again", "stays"),
    [
        (lambda url, path: desired_sources(url), True),
        (lambda url, path: desired_sources(keep=(path,)), True),
        (lambda url, path: desired_sources(), False),
    ],
)
async def test_an_adapter_that_is_not_desired_is_removed_after_its_grace(
    adapter: Path, store: Store, again: Callable[[str, str], DesiredSources], stays: bool
) -> None:
    clock = Clock()
    async with served(Hub.of(adapter).app) as url:
        fetcher = Fetcher(store, clock=clock)
        await fetcher.set_desired(desired_sources(url))
        path = await stored_path(fetcher)
        await fetcher.set_desired(desired_sources(url))
        for clock.now in (LINGER_SECONDS + 1, 2 * LINGER_SECONDS + 2, 2 * LINGER_SECONDS + GRACE_SECONDS + 3):
            await fetcher.set_desired(again(url, path))
    assert [a.path.exists() for a in [read(Path(path))]] == [stays]


async def test_nothing_is_remembered_of_directories_that_are_not_in_the_store(adapter: Path, store: Store) -> None:
    clock = Clock()
    async with served(Hub.of(adapter).app) as url:
        fetcher = Fetcher(store, clock=clock)
        await fetcher.set_desired(desired_sources(url))
        path = await stored_path(fetcher)
        for number in range(50):
            clock.now += LINGER_SECONDS + 1
            await fetcher.set_desired(desired_sources(url, keep=tuple(f"/elsewhere/{number}/{i}" for i in range(20))))
    assert list(fetcher._desired_at) == [Path(path)]


async def test_what_is_wanted_again_while_the_store_is_looked_through_stays(adapter: Path, store: Store) -> None:
    class LooksLong(Fetcher):
        async def stored(self) -> list[Adapter]:
            found = await super().stored()
            await until(lambda: all(entry.state == "ready" for entry in self.report()))
            return found

    clock = Clock()
    async with served(Hub.of(adapter).app) as url, served(Hub.of(adapter).app) as mirror:
        fetcher = LooksLong(store, clock=clock)
        await fetcher.set_desired(desired_sources(url))
        path = await stored_path(fetcher)
        clock.now = LINGER_SECONDS + 1
        await fetcher.set_desired(desired_sources())
        clock.now += GRACE_SECONDS + 1
        await fetcher.set_desired(desired_sources(mirror))
    assert read(Path(path)).digest == read(adapter).digest


async def test_a_file_that_somebody_changed_is_no_longer_ours(adapter: Path, store: Store) -> None:
    async with served(Hub.of(adapter).app) as url:
        fetcher = Fetcher(store)
        await fetcher.set_desired(desired_sources(url))
        path = Path(await stored_path(fetcher))
    (path / "adapter_config.json").write_text("{}")
    assert await fetcher.stored() == []


async def test_the_whole_way_over_http(adapter: Path, store: Store, tmp_path: Path) -> None:
    app = application(tmp_path, Fetcher(store))
    async with (
        served(Hub.of(adapter).app) as url,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sidecar") as http,
    ):
        put = await http.put("/v1/sources", json=desired_sources(url).to_object())
        async with asyncio.timeout(20):
            found: dict[str, Any] = {}
            while not found.get("stored"):
                await asyncio.sleep(0.1)
                await http.put("/v1/sources", json=desired_sources(url).to_object())
                found = (await http.get("/v1/adapters")).json()
    assert put.status_code == 204
    assert found["stored"][0]["digest"] == read(adapter).digest


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 422, "JSON"),
        (b"{}", 422, "maxBytes"),
        (b'{"maxBytes": 1, "sources": [{}]}', 422, "huggingFace and s3"),
        (b'{"maxBytes": 1, "sources": [{"s3": {"bucket": "abc", "prefix": "a/../b\\n"}}]}', 422, "prefix"),
        (b"x" * (1 << 20) + b"x", 413, "bytes"),
    ],
)
async def test_a_bad_list_is_refused_with_its_field(
    store: Store, tmp_path: Path, body: bytes, status: int, said: str
) -> None:
    app = application(tmp_path, Fetcher(store))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sidecar") as http:
        answer = await http.put("/v1/sources", content=body)
    assert (answer.status_code, said in answer.json()["error"]["message"]) == (status, True), answer.text
