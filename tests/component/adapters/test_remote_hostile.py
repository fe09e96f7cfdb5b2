"""Hubs and buckets that are broken, hostile or something else: what they say is bounded, and said with its remedy."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from boardroom.adapters import remote as bounds
from boardroom.adapters.bucket import BucketRemote
from boardroom.adapters.credentials import Credentials
from boardroom.adapters.download import Progress, download
from boardroom.adapters.hub import HubRemote
from boardroom.adapters.problem import ProblemError
from boardroom.adapters.remote import Remote
from boardroom.adapters.store import Store
from boardroom.api.adapter import HuggingFaceSource, S3Source
from component.coordinator.standing_board import served

CONFIG = {"rfilename": "adapter_config.json", "size": 10, "blobId": "a" * 40}
WEIGHTS = {"rfilename": "adapter_model.safetensors", "size": 10, "blobId": "a" * 40}
PAGE = "<!doctype html><html><head><meta charset=utf-8></head><body>Console</body></html>"
KEYS = {"AWS_ACCESS_KEY_ID": "board", "AWS_SECRET_ACCESS_KEY": "k"}


class Server:
    """Answers every request alike, and counts what it has sent."""

    def __init__(self, answer: Callable[["Server"], Response]) -> None:
        self._answer = answer
        self.sent = 0
        self.requests = 0

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self._any, methods=["GET", "HEAD"])])

    async def _any(self, _: Request) -> Response:
        self.requests += 1
        return self._answer(self)

    async def endless(self, begin: bytes, more: bytes, pause: float = 0) -> AsyncIterator[bytes]:
        yield begin
        while self.sent < 64 * bounds.MAX_METADATA_BYTES:
            self.sent += len(more)
            await asyncio.sleep(pause)
            yield more


def hub(url: str) -> Remote:
    return HubRemote(HuggingFaceSource(repo="board/ceo", endpoint=url), Credentials())


def bucket(url: str) -> Remote:
    return BucketRemote(S3Source(bucket="lora", prefix="ceo", endpoint=url), Credentials(KEYS))


async def refusal(server: Server, of: Callable[[str], Remote], tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "store").mkdir(exist_ok=True)
    store = Store(tmp_path / "store", limit=10**9)
    async with served(server.app) as url:
        with pytest.raises(ProblemError) as caught:
            await asyncio.to_thread(lambda: download(of(url), store, 10**6, Progress()))
    return caught.value.problem.reason, caught.value.problem.message


def info(*siblings: dict[str, Any]) -> Callable[[Server], Response]:
    return lambda _: JSONResponse({"sha": "b" * 40, "siblings": list(siblings)})


def listing(objects: str, root: str = "ListBucketResult") -> Callable[[Server], Response]:
    text = f"<{root}><Name>lora</Name><IsTruncated>false</IsTruncated>{objects}</{root}>"
    return lambda _: Response(text, media_type="application/xml")


def entry(key: str, size: int) -> str:
    return f'<Contents><Key>ceo/{key}</Key><Size>{size}</Size><ETag>"{"a" * 32}"</ETag></Contents>'


@pytest.mark.parametrize(
    ("of", "begin", "more", "kind"),
    [
        (hub, b'{"siblings": [', orjson.dumps(CONFIG) + b",", "application/json"),
        (bucket, b"<ListBucketResult>", entry("a", 1).encode() * 500, "application/xml"),
    ],
)
async def test_a_listing_that_does_not_end_is_read_up_to_a_bound(
    of: Callable[[str], Remote], begin: bytes, more: bytes, kind: str, tmp_path: Path
) -> None:
    server = Server(lambda server: StreamingResponse(server.endless(begin, more * 100), media_type=kind))
    reason, message = await refusal(server, of, tmp_path)
    assert (reason, f"within {bounds.MAX_METADATA_BYTES} bytes" in message) == ("DownloadFailed", True), message
    assert server.sent < 8 * bounds.MAX_METADATA_BYTES  # the rest is what sockets hold


@pytest.mark.parametrize("of", [hub, bucket])
async def test_a_listing_that_drips_is_read_up_to_a_bound(
    of: Callable[[str], Remote], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "METADATA_SECONDS", 0.2)
    server = Server(lambda server: StreamingResponse(server.endless(b"", b" ", 0.01), media_type="text/plain"))
    reason, message = await refusal(server, of, tmp_path)
    assert (reason, "does not end within 0 s" in message) == ("DownloadFailed", True), message


@pytest.mark.parametrize(("of", "code"), [(hub, "HTTP 500"), (bucket, "within")])
async def test_an_error_that_does_not_end_is_not_read_to_its_end(
    of: Callable[[str], Remote], code: str, tmp_path: Path
) -> None:
    server = Server(lambda server: StreamingResponse(server.endless(b"", b"x" * 100_000), 500))
    reason, message = await refusal(server, of, tmp_path)
    assert (reason, code in message) == ("DownloadFailed", True), message
    assert server.sent < 8 * bounds.MAX_METADATA_BYTES


async def test_a_hub_that_lists_too_many_files_is_refused(tmp_path: Path) -> None:
    reason, message = await refusal(Server(info(*[{"rfilename": f"{i}"} for i in range(10_001)])), hub, tmp_path)
    assert (reason, "lists 10001 files, and at most 10000 are read" in message) == ("DownloadFailed", True)


async def test_more_objects_than_s3_lists_at_once_are_refused(tmp_path: Path) -> None:
    server = Server(listing("".join(entry(f"{i}", 1) for i in range(1001))))
    reason, message = await refusal(server, bucket, tmp_path)
    assert (reason, "more than 1000 objects" in message) == ("AdapterInvalid", True)


async def test_no_question_is_asked_about_files_that_are_too_many(tmp_path: Path) -> None:
    summed = "<ChecksumAlgorithm>SHA256</ChecksumAlgorithm></Contents>"
    objects = "".join(entry(f"{i}.safetensors", 1).replace("</Contents>", summed) for i in range(65))
    server = Server(listing(objects))
    reason, message = await refusal(server, bucket, tmp_path)
    assert (reason, "65 adapter files, more than 64" in message, server.requests) == ("AdapterInvalid", True, 1)


@pytest.mark.parametrize(
    ("of", "answer"),
    [
        (hub, info(CONFIG, WEIGHTS | {"size": -(10**12)})),
        (bucket, listing(entry("adapter_config.json", 10) + entry("a.safetensors", -(10**12)))),
    ],
)
async def test_a_file_of_less_than_nothing_makes_no_room_for_another(
    of: Callable[[str], Remote], answer: Callable[[Server], Response], tmp_path: Path
) -> None:
    reason, message = await refusal(Server(answer), of, tmp_path)
    assert (reason, "has -1000000000000 bytes" in message) == ("DownloadFailed", True), message


async def test_a_hub_that_packs_its_answer_unasked_is_refused(tmp_path: Path) -> None:
    server = Server(lambda _: Response(b"\x1f\x8b", headers={"content-encoding": "gzip"}))
    reason, message = await refusal(server, hub, tmp_path)
    assert (reason, "answers in gzip" in message) == ("DownloadFailed", True)


async def test_a_hub_that_states_no_size_is_said_to(tmp_path: Path) -> None:
    sizeless = {name: value for name, value in WEIGHTS.items() if name != "size"}
    reason, message = await refusal(Server(info(CONFIG, sizeless)), hub, tmp_path)
    assert reason == "DownloadFailed"
    assert "does not say how large adapter_model.safetensors is" in message
    assert "spec.adapter.huggingFace.endpoint" in message


@pytest.mark.parametrize(
    ("of", "field"), [(hub, "spec.adapter.huggingFace.endpoint"), (bucket, "spec.adapter.s3.endpoint")]
)
@pytest.mark.parametrize("status", [200, 403, 404])
async def test_a_page_for_people_is_no_server_of_adapters(
    of: Callable[[str], Remote], field: str, status: int, tmp_path: Path
) -> None:
    server = Server(lambda _: Response(PAGE, status, media_type="text/html"))
    reason, message = await refusal(server, of, tmp_path)
    assert (reason, f"HTTP {status} with a web page" in message, field in message) == ("DownloadFailed", True, True)


@pytest.mark.parametrize(("of", "said"), [(hub, "HTTP 502"), (bucket, "502 (Bad Gateway)")])
async def test_what_a_gateway_says_in_html_is_no_wrong_endpoint(
    of: Callable[[str], Remote], said: str, tmp_path: Path
) -> None:
    server = Server(lambda _: Response(PAGE, 502, media_type="text/html"))
    reason, message = await refusal(server, of, tmp_path)
    assert (reason, said in message, "web page" in message) == ("DownloadFailed", True, False), message


@pytest.mark.parametrize(
    ("of", "body"),
    [(hub, b"[]"), (hub, b"\xff"), (hub, b'{"siblings": [{}]}'), (bucket, b"{}"), (bucket, b"<a><b/></a>")],
)
async def test_what_is_no_listing_names_the_endpoint(of: Callable[[str], Remote], body: bytes, tmp_path: Path) -> None:
    reason, message = await refusal(Server(lambda _: Response(body, media_type="text/plain")), of, tmp_path)
    assert (reason, ".endpoint must be the URL of" in message) == ("DownloadFailed", True), message
