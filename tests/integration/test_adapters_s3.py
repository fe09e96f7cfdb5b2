"""Adapters from a real S3 server: versitygw over a directory."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from boardroom.adapters import read
from boardroom.adapters.bucket import BucketRemote
from boardroom.adapters.credentials import Credentials
from boardroom.adapters.download import Progress, download
from boardroom.adapters.problem import ProblemError
from boardroom.adapters.remote import RemoteFile
from boardroom.adapters.store import Origin, Store
from boardroom.adapters.synthetic import Shape, make_one
from boardroom.api.adapter import S3Source
from tools.s3 import BUCKET, KEYS, Bucket, owned_bucket, s3_server


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with s3_server(tmp_path_factory.mktemp("s3")) as url, owned_bucket(url) as bucket:
        yield bucket


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    make_one(tmp_path / "ceo", "CEO", Shape(layers=24, hidden=256))
    return tmp_path / "ceo"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "store").mkdir()
    return Store(tmp_path / "store", limit=100_000_000)


async def fetch(source: S3Source, store: Store, keys: dict[str, str] | None = None, max_bytes: int = 10**8) -> Origin:
    remote = BucketRemote(source, Credentials(KEYS if keys is None else keys))
    return await asyncio.to_thread(download, remote, store, max_bytes, Progress())


async def refusal(source: S3Source, store: Store, **options: Any) -> tuple[str, str]:
    with pytest.raises(ProblemError) as caught:
        await fetch(source, store, **options)
    return caught.value.problem.reason, caught.value.problem.message


@pytest.mark.parametrize("options", [{}, {"ChecksumAlgorithm": "SHA256"}])
async def test_an_adapter_lies_under_its_digest(
    s3: Bucket, adapter: Path, store: Store, options: dict[str, str]
) -> None:
    s3.put(adapter, "whole", **options)
    s3.write("whole/README.md", b"#")
    s3.write("whole/old/adapter_model.safetensors", b"#")
    origin = await fetch(s3.source("whole"), store)
    assert read(store.path(origin.digest)).digest == origin.digest == read(adapter).digest
    assert sorted(p.name for p in store.path(origin.digest).iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


async def test_the_servers_own_sha256_is_what_is_checked(s3: Bucket, adapter: Path, store: Store) -> None:
    s3.put(adapter, "summed", ChecksumAlgorithm="SHA256")
    found = BucketRemote(s3.source("summed"), Credentials(KEYS)).resolve()
    assert {file.checksum.kind if file.checksum else None for file in found.files} == {"sha256"}


async def test_a_download_that_was_killed_goes_on_where_it_ended(s3: Bucket, adapter: Path, store: Store) -> None:
    s3.put(adapter, "begun")
    source = s3.source("begun")
    remote = BucketRemote(source, Credentials(KEYS))
    manifest = remote.resolve()
    weights = adapter / "adapter_model.safetensors"
    staging = store.staging(source.key, manifest.revision)
    (staging / f"{weights.name}.partial").write_bytes(weights.read_bytes()[:300_000])
    offsets: list[int] = []

    class Watched(BucketRemote):
        def open(self, manifest: Any, file: RemoteFile, offset: int) -> Any:
            offsets.append(offset)
            return super().open(manifest, file, offset)

    watched = Watched(source, Credentials(KEYS))
    origin = await asyncio.to_thread(download, watched, store, 10**8, Progress())
    assert (offsets, origin.digest) == ([0, 300_000], read(adapter).digest)


async def test_what_was_begun_with_other_bytes_is_found_out(s3: Bucket, adapter: Path, store: Store) -> None:
    s3.put(adapter, "other")
    source = s3.source("other")
    manifest = BucketRemote(source, Credentials(KEYS)).resolve()
    begun = store.staging(source.key, manifest.revision) / "adapter_model.safetensors.partial"
    begun.write_bytes(b"?" * 1000)
    assert (await refusal(source, store))[0] == "DownloadFailed"
    assert (await fetch(source, store)).digest == read(adapter).digest


async def test_an_object_that_changes_while_it_is_read_is_refused(s3: Bucket, adapter: Path) -> None:
    s3.put(adapter, "moving")
    remote = BucketRemote(s3.source("moving"), Credentials(KEYS))
    manifest = remote.resolve()
    s3.write("moving/adapter_config.json", b"{}")
    with pytest.raises(ProblemError, match="changed while it was read"), remote.open(manifest, manifest.files[0], 0):
        pass


@pytest.mark.parametrize("keys", [{}, KEYS | {"AWS_SECRET_ACCESS_KEY": "wrong"}, KEYS | {"AWS_ACCESS_KEY_ID": "x"}])
async def test_who_has_no_keys_is_told_where_to_put_them(
    s3: Bucket, adapter: Path, store: Store, keys: dict[str, str]
) -> None:
    s3.put(adapter, "closed")
    reason, message = await refusal(s3.source("closed"), store, keys=keys)
    assert (reason, "credentialsSecretRef" in message) == ("CredentialsMissing", True), message


@pytest.mark.parametrize(("bucket", "prefix"), [(BUCKET, "nowhere"), ("nobucket", "ceo")])
async def test_what_is_not_there_is_missing(s3: Bucket, store: Store, bucket: str, prefix: str) -> None:
    assert (await refusal(s3.source(prefix, bucket), store))[0] == "AdapterMissing"


async def test_more_objects_than_one_listing_tells_are_no_adapter(s3: Bucket, adapter: Path, store: Store) -> None:
    """Weights could be among those that it does not tell."""
    s3.put(adapter, "crowd")
    for number in range(1000):
        s3.write(f"crowd/a{number:04}", b"")
    reason, message = await refusal(s3.source("crowd"), store)
    assert (reason, "folder of one adapter" in message) == ("AdapterInvalid", True)


async def test_too_large_is_refused(s3: Bucket, adapter: Path, store: Store) -> None:
    s3.put(adapter, "large")
    assert (await refusal(s3.source("large"), store, max_bytes=1000))[0] == "TooLarge"
