"""Adapters from a Hugging Face hub, through real sockets, into the store."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from boardroom.adapters import read
from boardroom.adapters.credentials import Credentials
from boardroom.adapters.download import Progress, download
from boardroom.adapters.hub import HubRemote
from boardroom.adapters.problem import ProblemError
from boardroom.adapters.store import Origin, StoppedError, Store
from boardroom.adapters.synthetic import Shape, make_one
from boardroom.api.adapter import HuggingFaceSource
from component.adapters.hub_server import REPO, Hub
from component.coordinator.standing_board import served

BIG = Shape(layers=24, hidden=256)
"""About 1.2 MB of weights: several chunks."""


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    make_one(tmp_path / "ceo", "CEO", BIG)
    return tmp_path / "ceo"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "store").mkdir()
    return Store(tmp_path / "store", limit=100_000_000)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.CRITICAL, "uvicorn.error"):
        yield


async def fetch(
    hub: Hub,
    store: Store,
    *,
    max_bytes: int = 10_000_000,
    progress: Progress | None = None,
    credentials: dict[str, str] | None = None,
    **source: Any,
) -> Origin:
    async with served(hub.app) as url:
        wanted = HuggingFaceSource(**({"repo": REPO, "endpoint": url} | source))
        values = {key: value.replace("URL", url) for key, value in (credentials or {}).items()}
        remote = HubRemote(wanted, Credentials(values))
        return await asyncio.to_thread(download, remote, store, max_bytes, progress or Progress())


async def refusal(*args: Any, **options: Any) -> tuple[str, str]:
    with pytest.raises(ProblemError) as caught:
        await fetch(*args, **options)
    return caught.value.problem.reason, caught.value.problem.message


async def test_an_adapter_lies_under_its_digest_and_nothing_else_is_fetched(adapter: Path, store: Store) -> None:
    hub = Hub.of(adapter)
    origin = await fetch(hub, store)
    place = store.path(origin.digest)
    assert origin.digest == read(adapter).digest == read(place).digest
    assert (origin.revision, sorted(p.name for p in place.iterdir())) == (hub.commit, sorted(hub.files))
    assert not [path for path, _, _ in hub.requests if "README" in path or "checkpoint" in path]


async def test_a_download_that_broke_goes_on_where_it_ended(adapter: Path, store: Store) -> None:
    hub = Hub.of(adapter, cut_after=200_000)
    async with served(hub.app) as url:
        remote = HubRemote(HuggingFaceSource(repo=REPO, endpoint=url), Credentials())
        with pytest.raises(ProblemError, match=r"adapter_model|RemoteProtocolError"):
            await asyncio.to_thread(download, remote, store, 10_000_000, Progress())
        begun = next(store.root.glob(".incoming/*/*/*.partial")).stat().st_size
        hub.cut_after = None
        hub.requests.clear()
        origin = await asyncio.to_thread(download, remote, store, 10_000_000, Progress())
    assert 0 < begun < len(hub.files["adapter_model.safetensors"])
    assert (hub.ranges(), origin.digest) == ([f"bytes={begun}-"], read(adapter).digest)


async def test_a_server_that_knows_no_ranges_gives_whole_files(adapter: Path, store: Store) -> None:
    assert (await fetch(Hub.of(adapter, knows_ranges=False), store)).digest == read(adapter).digest


async def test_wrong_bytes_are_refused_and_removed(adapter: Path, store: Store) -> None:
    reason, message = await refusal(Hub.of(adapter, corrupt=True), store)
    assert (reason, "sha256" in message) == ("DownloadFailed", True)
    assert [path.name for path in store.root.glob(".incoming/*/*/*")] == ["adapter_config.json"]
    assert not list(store.root.glob("sha256-*"))


@pytest.mark.parametrize("credentials", [{}, {"HF_TOKEN": "wrong", "HF_ENDPOINT": "URL"}])
async def test_a_private_repository_needs_its_token(adapter: Path, store: Store, credentials: dict[str, str]) -> None:
    reason, message = await refusal(Hub.of(adapter, token="secret"), store, credentials=credentials)
    assert (reason, "credentialsSecretRef" in message, "secret" in message) == ("CredentialsMissing", True, False)


async def test_the_token_goes_to_its_own_hub(adapter: Path, store: Store) -> None:
    hub = Hub.of(adapter, token="secret")
    origin = await fetch(hub, store, credentials={"HF_TOKEN": "secret", "HF_ENDPOINT": "URL"})
    assert origin.digest == read(adapter).digest


async def test_the_token_goes_to_no_other_hub(adapter: Path, store: Store) -> None:
    hub = Hub.of(adapter)
    await fetch(hub, store, credentials={"HF_TOKEN": "secret"})
    assert {authorization for _, _, authorization in hub.requests} == {None}


@pytest.mark.parametrize("wrong", [{"revision": "nowhere"}, {"repo": "board/nobody"}])
async def test_what_is_not_there_is_missing(adapter: Path, store: Store, wrong: dict[str, str]) -> None:
    credentials = {"HF_TOKEN": "secret", "HF_ENDPOINT": "URL"}
    reason, message = await refusal(Hub.of(adapter), store, credentials=credentials, **wrong)
    assert (reason, "spec.adapter" in message) == ("AdapterMissing", True)


async def test_too_large_is_refused_before_a_byte_is_fetched(adapter: Path, store: Store) -> None:
    hub = Hub.of(adapter)
    reason, message = await refusal(hub, store, max_bytes=1000)
    assert (reason, "spec.adapters.maxSize" in message, len(hub.requests)) == ("TooLarge", True, 1)


async def test_a_full_store_is_said_with_its_remedy(adapter: Path, tmp_path: Path) -> None:
    reason, message = await refusal(Hub.of(adapter), Store(tmp_path / "small", limit=1000))
    assert (reason, "spec.adapters.downloads.sizeLimit" in message) == ("TooLarge", True)


async def test_pickles_are_never_fetched(adapter: Path, store: Store) -> None:
    hub = Hub.of(adapter)
    hub.files["adapter_model.bin"] = hub.files.pop("adapter_model.safetensors")
    reason, message = await refusal(hub, store)
    assert (reason, "safe_serialization" in message, len(hub.requests)) == ("UnsupportedFeature", True, 1)


async def test_what_lorax_gets_wrong_is_refused_before_its_weights_are_fetched(adapter: Path, store: Store) -> None:
    config = adapter / "adapter_config.json"
    config.write_bytes(orjson.dumps(orjson.loads(config.read_bytes()) | {"use_dora": True}))
    hub = Hub.of(adapter)
    reason, message = await refusal(hub, store)
    assert (reason, hub.ranges()) == ("UnsupportedFeature", [])
    assert message.startswith(f"hf://{REPO}@main")


async def test_a_server_that_is_down_is_a_failed_download(store: Store) -> None:
    remote = HubRemote(HuggingFaceSource(repo=REPO, endpoint="http://127.0.0.1:9"), Credentials())
    with pytest.raises(ProblemError, match="ConnectError") as caught:
        await asyncio.to_thread(download, remote, store, 1000, Progress())
    assert caught.value.problem.reason == "DownloadFailed"


async def test_a_download_that_is_no_longer_desired_ends(adapter: Path, store: Store) -> None:
    progress = Progress()
    progress.stop.set()
    with pytest.raises(StoppedError):
        await fetch(Hub.of(adapter), store, progress=progress)
