"""The sidecar's API: what one side encodes, the other decodes."""

from pathlib import Path

import orjson
import pytest

from boardroom.adapters import Adapter, Problem
from boardroom.adapters.protocol import (
    AdapterEntry,
    AdapterFiles,
    AdapterListing,
    DesiredSource,
    DesiredSources,
    ProblemEntry,
    SourceEntry,
)
from boardroom.api.adapter import HuggingFaceSource, S3Source, Source

READY = AdapterEntry.of(
    "ceo",
    Adapter(
        Path("/models/ceo"),
        digest="sha256:ab",
        rank=8,
        base_model="base",
        target_modules=("q_proj",),
        modules=("layers.*.q_proj",),
        size_bytes=1664,
    ),
)
BROKEN = AdapterEntry.of("cfo", Adapter(Path("/models/cfo"), problem=Problem("AdapterInvalid", "not JSON")))
FAILED = SourceEntry(
    source="hf://org/ceo@main",
    state="failed",
    problem=ProblemEntry("DownloadFailed", "HTTP 500"),
    retry_at="2026-12-01T14:00:00+00:00",
)
STORED = SourceEntry(
    source="s3://bucket/ceo", state="ready", path="/store/sha256-ab", revision="1", bytes_done=1664, bytes_total=1664
)
LISTINGS = {
    "of a volume alone": AdapterListing(root="/models", adapters=(READY, BROKEN)),
    "of nothing": AdapterListing(root="/models", adapters=()),
    "with a store": AdapterListing(root="/models", adapters=(READY,), sources=(FAILED, STORED), stored=(READY,)),
}


@pytest.mark.parametrize("listing", LISTINGS.values(), ids=LISTINGS)
def test_a_listing_is_decoded_as_it_was_encoded(listing: AdapterListing) -> None:
    assert AdapterListing.decode(listing.encode()) == listing


def test_a_listing_has_the_fields_of_the_documented_body() -> None:
    assert orjson.loads(LISTINGS["with a store"].encode()) == {
        "root": "/models",
        "adapters": [
            {
                "name": "ceo",
                "path": "/models/ceo",
                "digest": "sha256:ab",
                "rank": 8,
                "baseModel": "base",
                "targetModules": ["q_proj"],
                "modules": ["layers.*.q_proj"],
                "sizeBytes": 1664,
                "problem": None,
            }
        ],
        "sources": [
            {
                "source": "hf://org/ceo@main",
                "state": "failed",
                "path": None,
                "revision": None,
                "bytesDone": 0,
                "bytesTotal": 0,
                "problem": {"reason": "DownloadFailed", "message": "HTTP 500"},
                "retryAt": "2026-12-01T14:00:00+00:00",
            },
            {
                "source": "s3://bucket/ceo",
                "state": "ready",
                "path": "/store/sha256-ab",
                "revision": "1",
                "bytesDone": 1664,
                "bytesTotal": 1664,
                "problem": None,
                "retryAt": None,
            },
        ],
        "stored": [orjson.loads(AdapterListing(adapters=(READY,)).encode())["adapters"][0]],
    }


def test_a_sidecar_without_a_store_sends_neither_sources_nor_stored() -> None:
    assert set(orjson.loads(LISTINGS["of nothing"].encode())) == {"root", "adapters"}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"adapters": [{"path": "/models/ceo"}]}', b'{"adapters": "x"}'])
def test_a_listing_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        AdapterListing.decode(body)


def test_fields_of_a_later_version_are_ignored() -> None:
    body = b'{"adapters": [{"name": "ceo", "color": "red"}], "later": 1}'
    assert AdapterListing.decode(body).adapters == (AdapterEntry(name="ceo"),)


@pytest.mark.parametrize(
    ("entry", "files"),
    [
        (
            READY,
            AdapterFiles(digest="sha256:ab", rank=8, base_model="base", modules=("layers.*.q_proj",), size_bytes=1664),
        ),
        (BROKEN, AdapterFiles(problem="AdapterInvalid", message="not JSON")),
    ],
)
def test_the_coordinator_reads_an_entry_as_files(entry: AdapterEntry, files: AdapterFiles) -> None:
    assert entry.files == files


def test_desired_sources_are_decoded_as_they_were_encoded() -> None:
    sources: tuple[Source, ...] = (HuggingFaceSource(repo="org/ceo"), S3Source(bucket="bucket", prefix="ceo"))
    desired = DesiredSources(
        sources=tuple(map(DesiredSource.of, sources)), keep=("/store/sha256-ab",), max_bytes=10_000
    )
    decoded = DesiredSources.decode(orjson.dumps(desired.to_object()))
    assert (decoded, tuple(item.source for item in decoded.sources)) == (desired, sources)
