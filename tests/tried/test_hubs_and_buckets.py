"""Hubs and buckets that answer in ways of their own: what is fetched from them, and what a refusal tells."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from boardroom.adapters import read
from boardroom.adapters.bucket import BucketRemote
from boardroom.adapters.credentials import Credentials
from boardroom.adapters.download import Progress, download
from boardroom.adapters.hub import HubRemote
from boardroom.adapters.problem import ProblemError
from boardroom.adapters.remote import Remote
from boardroom.adapters.store import Origin, Store
from boardroom.api.adapter import HuggingFaceSource, S3Source
from component.adapters.hub_server import REPO, Hub
from component.coordinator.standing_board import served

ACCOUNT: Final = "123456789012"
KEYS: Final = {"AWS_ACCESS_KEY_ID": "board", "AWS_SECRET_ACCESS_KEY": "k"}


@dataclass
class Bucket:
    """A server that answers as S3 does about the objects below ceo/ of any bucket."""

    files: dict[str, bytes]
    encryption: dict[str, str] = field(default_factory=dict)
    """Headers that HEAD and GET have, and no listing."""
    tag: Callable[[bytes], str] = lambda content: hashlib.md5(content, usedforsecurity=False).hexdigest()
    refusal: tuple[int, str, str] | None = None
    """Status, code and message of every answer."""
    paths: list[str] = field(default_factory=list)

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "HEAD"])])

    async def _answer(self, request: Request) -> Response:
        self.paths.append(request.url.path)
        if self.refusal is not None:
            status, code, message = self.refusal
            return _xml(f"<Error><Code>{code}</Code><Message>{message}</Message></Error>", status)
        if "list-type" in request.query_params:
            entries = "".join(
                f"<Contents><Key>ceo/{name}</Key><Size>{len(content)}</Size>"
                f"<ETag>&quot;{self.tag(content)}&quot;</ETag></Contents>"
                for name, content in self.files.items()
            )
            return _xml(f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>")
        content = self.files[request.url.path.rsplit("/", 1)[-1]]
        return Response(content, headers={"etag": f'"{self.tag(content)}"'} | self.encryption)


def _xml(text: str, status: int = 200) -> Response:
    return Response(text, status, media_type="application/xml")


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.CRITICAL, "uvicorn.error"):
        yield


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "store").mkdir()
    return Store(tmp_path / "store", limit=10**9)


async def fetched(app: Starlette, remote: Callable[[str], Remote], store: Store) -> Origin:
    async with served(app) as url:
        return await asyncio.to_thread(lambda: download(remote(url), store, 10**7, Progress()))


async def refusal(app: Starlette, remote: Callable[[str], Remote], store: Store) -> tuple[str, str]:
    with pytest.raises(ProblemError) as caught:
        await fetched(app, remote, store)
    return caught.value.problem.reason, caught.value.problem.message


def hub(token: str = "", **source: Any) -> Callable[[str], Remote]:
    def remote(url: str) -> Remote:
        credentials = Credentials({"HF_TOKEN": token, "HF_ENDPOINT": url} if token else {})
        return HubRemote(HuggingFaceSource(**({"repo": REPO, "endpoint": url} | source)), credentials)

    return remote


def bucket(name: str = "lora") -> Callable[[str], Remote]:
    return lambda url: BucketRemote(S3Source(bucket=name, prefix="ceo", endpoint=url), Credentials(KEYS))


@pytest.mark.parametrize(
    ("options", "source"),
    [
        ({"sizes_in_lfs": True}, {}),
        ({"upper_case": True}, {}),
        ({"folder": "adapters/ceo/"}, {"subfolder": "adapters/ceo"}),
        ({"folder": "ceo/"}, {"subfolder": "ceo/"}),
    ],
    ids=["sizes in lfs only", "checksums in capitals", "a subfolder", "a subfolder with a slash"],
)
async def test_an_adapter_of_a_hub_is_fetched(
    adapter: Path, store: Store, options: dict[str, Any], source: dict[str, str]
) -> None:
    origin = await fetched(Hub.of(adapter, **options).app, hub(**source), store)
    assert (origin.digest, read(store.path(origin.digest)).problem) == (read(adapter).digest, None)


@dataclass(frozen=True)
class Refused:
    """A hub that refuses, and what must be told of it."""

    id: str
    options: dict[str, Any]
    reason: str
    said: tuple[str, ...]
    token: str = ""


@pytest.mark.parametrize(
    "row",
    [
        Refused("an expired link", {"expired": 99}, "DownloadFailed", ("Request has expired", "new link")),
        Refused(
            "gated, with a token",
            {"token": "t", "gated": True},
            "CredentialsMissing",
            ("not in the authorized list", "ask for access"),
            token="t",
        ),
        Refused(
            "gated, without a token",
            {"gated": True},
            "CredentialsMissing",
            ("not in the authorized list", "HF_TOKEN is missing"),
        ),
        Refused(
            "a wrong token",
            {"token": "t"},
            "CredentialsMissing",
            ("Repository not found", "HF_TOKEN is rejected"),
            token="wrong",
        ),
        Refused(
            "a subfolder that is not named",
            {"folder": "a/ceo/"},
            "AdapterMissing",
            ("in a/ceo", "spec.adapter.huggingFace.subfolder"),
        ),
    ],
    ids=lambda row: row.id,
)
async def test_a_hubs_refusal_is_reported_with_its_cause(adapter: Path, store: Store, row: Refused) -> None:
    reason, message = await refusal(Hub.of(adapter, **row.options).app, hub(row.token), store)
    assert reason == row.reason, message
    assert [text for text in row.said if text not in message] == [], message


async def test_an_expired_link_is_made_anew_at_the_next_attempt(adapter: Path, store: Store) -> None:
    server = Hub.of(adapter, expired=1)
    await refusal(server.app, hub(), store)
    assert (await fetched(server.app, hub(), store)).digest == read(adapter).digest


def other_hex(content: bytes) -> str:
    """32 hex digits that are no md5 of the content."""
    return hashlib.sha256(content).hexdigest()[:32]


def files_of(adapter: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in adapter.iterdir()}


@pytest.mark.parametrize("encryption", ["aws:kms", "aws:kms:dsse"])
async def test_an_entity_tag_that_is_not_an_md5_is_not_used_as_one(
    adapter: Path, store: Store, encryption: str
) -> None:
    server = Bucket(files_of(adapter), {"x-amz-server-side-encryption": encryption}, other_hex)
    assert (await fetched(server.app, bucket(), store)).digest == read(adapter).digest


@pytest.mark.parametrize("encryption", [{}, {"x-amz-server-side-encryption": "AES256"}], ids=["plain", "S3's own keys"])
async def test_a_tag_that_is_an_md5_is_checked(adapter: Path, store: Store, encryption: dict[str, str]) -> None:
    found = await refusal(Bucket(files_of(adapter), encryption, other_hex).app, bucket(), store)
    assert (found[0], "is not what the server says it is" in found[1]) == ("DownloadFailed", True)
    capitals = Bucket(files_of(adapter), encryption, lambda content: hashlib.md5(content).hexdigest().upper())
    assert (await fetched(capitals.app, bucket(), store)).digest == read(adapter).digest


@pytest.mark.parametrize("name", ["my_bucket", "MyBucket", "my.bucket.of.lora", "l" * 200])
async def test_a_bucket_may_have_a_name_of_earlier_days(adapter: Path, store: Store, name: str) -> None:
    server = Bucket(files_of(adapter))
    await fetched(server.app, bucket(name), store)
    assert {path.split("/")[1] for path in server.paths} == {name}


@pytest.mark.parametrize(
    ("refused", "reason", "said"),
    [
        (
            (403, "AccessDenied", "User is not authorized to perform: s3:ListBucket"),
            "CredentialsMissing",
            "s3:ListBucket",
        ),
        ((400, "ExpiredToken", "The provided token has expired."), "CredentialsMissing", "AWS_SESSION_TOKEN"),
        ((403, "RequestTimeTooSkewed", "The difference is too large."), "DownloadFailed", "set the clock"),
    ],
    ids=["a missing right", "temporary keys", "a wrong clock"],
)
async def test_a_buckets_refusal_is_reported_with_its_cause(
    store: Store, refused: tuple[int, str, str], reason: str, said: str
) -> None:
    found = await refusal(Bucket({}, refusal=refused).app, bucket(), store)
    assert (found[0], refused[1] in found[1], said in found[1]) == (reason, True, True), found


@pytest.mark.parametrize(
    ("arn", "host"),
    [
        (f"arn:aws:s3:eu-west-1:{ACCOUNT}:accesspoint/lora", f"lora-{ACCOUNT}.s3-accesspoint.eu-west-1.amazonaws.com"),
        (f"arn:aws:s3:eu-west-1:{ACCOUNT}:accesspoint:lora", f"lora-{ACCOUNT}.s3-accesspoint.eu-west-1.amazonaws.com"),
        (
            f"arn:aws:s3-outposts:us-west-2:{ACCOUNT}:outpost/op-01ac5d28a6a232904/accesspoint/lora",
            f"lora-{ACCOUNT}.op-01ac5d28a6a232904.s3-outposts.us-west-2.amazonaws.com",
        ),
    ],
)
def test_an_access_point_is_asked_at_its_own_host(arn: str, host: str) -> None:
    remote = BucketRemote(S3Source(bucket=arn, prefix="ceo"), Credentials(KEYS))
    asked: list[str] = []

    def stop(request: Any, **_: Any) -> None:
        asked.append(request.url)
        raise ProblemError("DownloadFailed", "nothing leaves this machine")

    remote._client.meta.events.register_first("before-send.s3", stop)
    with pytest.raises(ProblemError, match="nothing leaves"):
        remote.resolve()
    assert [url.split("/")[2] for url in asked] == [host]
