"""A new version of an adapter is fetched, proved, and only then speaks; until then the one before goes on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from boardroom.adapters import read
from boardroom.adapters.fetcher import Fetcher
from boardroom.adapters.server import application
from boardroom.adapters.store import Store
from boardroom.adapters.synthetic import Shape, make_one
from boardroom.coordinator.http.server import serving
from boardroom.coordinator.main import Options, standalone
from boardroom.simulator.model_server.signature import signature
from component.adapters.hub_server import REPO, Hub
from component.coordinator.standing_board import (
    MODEL,
    SALT,
    Board,
    Standing,
    agent,
    by_role,
    served,
    simulated_lorax,
    until,
)

COMMITS = ("a" * 40, "b" * 40)


class Hubs:
    """Two commits of one repository, which differ in their weights."""

    def __init__(self, directory: Path) -> None:
        self.hubs = {}
        for commit in COMMITS:
            make_one(directory / commit, f"CEO of {commit}", Shape(base_model=MODEL))
            self.hubs[commit] = Hub.of(directory / commit, commit=commit)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        commit = next((c for c in COMMITS if c in scope["path"]), None)
        if commit is None:  # the storage's addresses name no commit
            commit = self.last
        self.last = commit
        await self.hubs[commit].app(scope, receive, send)

    last = COMMITS[0]


@pytest.fixture
def board(tmp_path: Path) -> Board:
    found = Board(tmp_path)
    found.make_adapters("CFO")
    return found


@contextlib.asynccontextmanager
async def standing(board: Board, lorax_url: str) -> AsyncIterator[Standing]:
    """A coordinator whose sidecar fetches."""
    store = board.directory / "store"
    store.mkdir(exist_ok=True)
    fetcher = Fetcher(Store(store, 10_000_000), first_retry=0.2)
    async with served(application(board.models, fetcher)) as adapters_url:
        options = Options(
            lorax_url=lorax_url, adapters_url=adapters_url, adapters_root=str(board.models), file=board.file
        )
        coordinator = standalone(options, board.file)
        coordinator.drain_seconds = 0.1
        async with (
            serving(coordinator) as addresses,
            httpx.AsyncClient(base_url=addresses.api, timeout=60, trust_env=False) as client,
        ):
            yield Standing(coordinator, client, addresses.metrics)


def hub_agent(url: str, revision: str) -> dict[str, Any]:
    source = {"repo": REPO, "endpoint": url, "revision": revision}
    return agent("CEO", adapter={"huggingFace": source}, tokens=48)


def spoke(answer: dict[str, Any]) -> str:
    """The digest by which the answer says it spoke, checked against the signature that only those weights have."""
    adapter = answer["adapter"]
    assert signature(SALT, MODEL, adapter["path"], adapter["digest"]) in answer["text"]
    assert adapter["path"].endswith(adapter["digest"].replace(":", "-"))
    return str(adapter["digest"])


async def ready(stand: Standing) -> dict[str, Any]:
    agents = (await stand.client.get("/v1/agents")).raise_for_status().json()["agents"]
    return {a["agent"]: a for a in agents}["ceo"]


async def wait_reason(stand: Standing, reason: str) -> dict[str, Any]:
    return await _wait(stand, lambda ceo: bool(ceo["reason"] == reason))


async def _wait(stand: Standing, good: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(600):
        found = await ready(stand)
        if good(found):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def test_a_fetched_adapter_speaks_under_its_digest(board: Board, tmp_path: Path) -> None:
    hubs = Hubs(tmp_path / "hub")
    async with served(hubs.app) as url, simulated_lorax() as (lorax, _):
        board.write(hub_agent(url, COMMITS[0]), agent("CFO"))
        async with standing(board, lorax) as stand:
            found = await wait_reason(stand, "AdapterProved")
            answers = by_role(await stand.answer())
    assert found["adapter"]["source"] == "HuggingFace"
    assert (found["adapter"]["revision"], found["adapter"]["digest"]) == (COMMITS[0], spoke(answers["CEO"]))
    assert answers["CFO"]["adapter"]["path"] == str(board.adapter("CFO"))


async def test_until_it_is_fetched_the_member_is_absent_with_the_reason(board: Board) -> None:
    async with simulated_lorax() as (lorax, engine):
        board.write(hub_agent("http://127.0.0.1:9", COMMITS[0]), agent("CFO"))
        async with standing(board, lorax) as stand:
            found = await wait_reason(stand, "DownloadFailed")
            answers = by_role(await stand.answer())
        state = engine.state()
    assert (answers["CEO"]["status"], answers["CFO"]["status"]) == ("absent", "answered")
    assert REPO in answers["CEO"]["reason"]
    assert not found["ready"]
    assert REPO not in str(state)


async def test_a_new_version_takes_over_between_two_questions(board: Board, tmp_path: Path) -> None:
    """Asked all the while: nobody is absent, every answer has the signature of the digest that it names."""
    hubs = Hubs(tmp_path / "hub")
    async with served(hubs.app) as url, simulated_lorax() as (lorax, _):
        board.write(hub_agent(url, COMMITS[0]), agent("CFO"))
        async with standing(board, lorax) as stand:
            await wait_reason(stand, "AdapterProved")
            first = spoke(by_role(await stand.answer())["CEO"])
            heard: list[str] = []
            changed = asyncio.Event()

            async def asking() -> None:
                while not changed.is_set() or heard[-1] == first:
                    answers = by_role(await stand.answer())
                    assert {a["status"] for a in answers.values()} == {"answered"}
                    heard.append(spoke(answers["CEO"]))

            async with asyncio.timeout(60):
                askers = [asyncio.create_task(asking()) for _ in range(4)]
                await until(lambda: len(heard) > 8)
                board.write(hub_agent(url, COMMITS[1]), agent("CFO"))
                changed.set()
                await asyncio.gather(*askers)
            found = await wait_reason(stand, "AdapterProved")
    assert sorted(set(heard)) == sorted({first, found["adapter"]["digest"]})
    assert found["adapter"]["revision"] == COMMITS[1]


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (lambda hub: setattr(hub, "corrupt", True), "DownloadFailed"),
        (lambda hub: setattr(hub, "token", "secret"), "CredentialsMissing"),
        (lambda hub: _rewrite(hub, use_dora=True), "UnsupportedFeature"),
        (lambda hub: _rewrite(hub, base_model_name_or_path="google/gemma-2b"), "BaseModelMismatch"),
    ],
)
async def test_the_version_before_goes_on_where_the_new_one_fails(
    board: Board, tmp_path: Path, break_it: Any, reason: str
) -> None:
    hubs = Hubs(tmp_path / "hub")
    break_it(hubs.hubs[COMMITS[1]])
    async with served(hubs.app) as url, simulated_lorax() as (lorax, _):
        board.write(hub_agent(url, COMMITS[0]), agent("CFO"))
        async with standing(board, lorax) as stand:
            await wait_reason(stand, "AdapterProved")
            first = spoke(by_role(await stand.answer())["CEO"])
            board.write(hub_agent(url, COMMITS[1]), agent("CFO"))
            found = await _wait(stand, lambda ceo: reason in ceo["message"])
            second = spoke(by_role(await stand.answer())["CEO"])
    assert (found["reason"], found["ready"], second) == ("PreviousVersion", True, first)
    assert found["adapter"]["revision"] == COMMITS[0]


async def test_another_path_takes_over_only_when_it_has_been_proved(board: Board) -> None:
    make_one(board.models / "ceo" / "1", "CEO 1", Shape(base_model=MODEL))
    async with simulated_lorax() as (lorax, _):
        board.write(agent("CEO", adapter={"path": "ceo/1"}))
        async with standing(board, lorax) as stand:
            await wait_reason(stand, "AdapterProved")
            board.write(agent("CEO", adapter={"path": "ceo/2"}))
            found = await wait_reason(stand, "PreviousVersion")
            before = by_role(await stand.answer())["CEO"]
            make_one(board.models / "ceo" / "2", "CEO 2", Shape(base_model=MODEL))
            await wait_reason(stand, "AdapterProved")
            after = by_role(await stand.answer())["CEO"]
    assert "ceo/2" in found["message"]
    assert [Path(a["adapter"]["path"]).name for a in (before, after)] == ["1", "2"]


def _rewrite(hub: Hub, **fields: Any) -> None:
    config = orjson.loads(hub.files["adapter_config.json"]) | fields
    hub.files["adapter_config.json"] = orjson.dumps(config)


async def test_where_adapters_are_preloaded_a_new_version_takes_over_once_its_files_fit(board: Board) -> None:
    """Only a restart proves it, and the operator restarts LoRAX for what status.adapter names."""
    spec = {
        "lorax": {"adapterPolicy": "Preloaded"},
        "adapters": {"volume": {"persistentVolumeClaim": {"claimName": "a"}}},
    }
    make_one(board.models / "ceo" / "1", "CEO 1", Shape(base_model=MODEL))
    first, second = (str(board.models / "ceo" / version) for version in "12")
    async with simulated_lorax(preloaded_adapter_ids=(first,), preloaded_adapter_source="local") as (lorax, _):
        board.write(agent("CEO", adapter={"path": "ceo/1"}), spec=spec)
        async with standing(board, lorax) as stand:
            await wait_reason(stand, "AdapterProved")
            board.write(agent("CEO", adapter={"path": "ceo/2"}), spec=spec)
            before = await wait_reason(stand, "PreviousVersion")
            spoke_before = by_role(await stand.answer())["CEO"]["adapter"]["path"]
            make_one(board.models / "ceo" / "2", "CEO 2", Shape(base_model=MODEL))
            after = await wait_reason(stand, "LoadFailed")
    assert (before["adapter"]["path"], spoke_before) == (first, first)
    assert (after["adapter"]["path"], after["adapter"]["digest"]) == (second, read(Path(second)).digest)
    assert "remove preloaded adapters" in after["message"]
