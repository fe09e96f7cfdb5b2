"""The API between the coordinator and the sidecar: both bodies, each with its encoder and decoder.

The sidecar serves `GET /v1/adapters` (AdapterListing) and takes `PUT /v1/sources` (DesiredSources).
"""

from dataclasses import dataclass, field
from typing import Final, Self

import msgspec
from pydantic import Field, ValidationError, model_validator

from boardroom.adapters.adapter import Adapter
from boardroom.adapters.problem import Problem
from boardroom.api.adapter import HuggingFaceSource, S3Source, Source
from boardroom.api.model import Model, problems

MISSING: Final = "AdapterMissing"
MAX_SOURCES = 512


class ProblemEntry(msgspec.Struct, frozen=True):
    """Why an adapter can't be served, or was not fetched."""

    reason: str
    message: str = ""

    @classmethod
    def of(cls, problem: Problem | None) -> Self | None:
        """Return the problem in this form; None: no problem."""
        return None if problem is None else cls(problem.reason, problem.message)


class AdapterEntry(msgspec.Struct, frozen=True, rename="camel"):
    """An adapter directory. A field that can't be read is None; `problem` then says why."""

    name: str
    path: str = ""
    digest: str | None = None
    rank: int | None = None
    base_model: str | None = None
    target_modules: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    size_bytes: int = 0
    problem: ProblemEntry | None = None

    @classmethod
    def of(cls, name: str, adapter: Adapter) -> Self:
        """Return the entry of an adapter on disk."""
        return cls(
            name=name,
            path=str(adapter.path),
            digest=adapter.digest,
            rank=adapter.rank,
            base_model=adapter.base_model,
            target_modules=adapter.target_modules,
            modules=adapter.modules,
            size_bytes=adapter.size_bytes,
            problem=ProblemEntry.of(adapter.problem),
        )

    @property
    def files(self) -> "AdapterFiles":
        """The fields that the coordinator uses."""
        return AdapterFiles(
            digest=self.digest,
            rank=self.rank,
            base_model=self.base_model,
            modules=self.modules,
            size_bytes=self.size_bytes,
            problem=self.problem.reason if self.problem else None,
            message=self.problem.message if self.problem else "",
        )


class SourceEntry(msgspec.Struct, frozen=True, rename="camel"):
    """The download of one source; `state` is queued, downloading, ready or failed."""

    source: str
    """The source's key."""
    state: str
    path: str | None = None
    revision: str | None = None
    bytes_done: int = 0
    bytes_total: int = 0
    problem: ProblemEntry | None = None
    retry_at: str | None = None
    """RFC 3339, if the download failed."""


class AdapterListing(msgspec.Struct, frozen=True, kw_only=True):
    """The body of GET /v1/adapters. A sidecar without a store sends neither `sources` nor `stored`."""

    root: str = ""
    adapters: tuple[AdapterEntry, ...]
    """The directories on the adapters volume, by name."""
    sources: tuple[SourceEntry, ...] | msgspec.UnsetType = msgspec.UNSET
    stored: tuple[AdapterEntry, ...] | msgspec.UnsetType = msgspec.UNSET
    """The adapters that were fetched."""

    def encode(self) -> bytes:
        """Return the listing as JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, body: bytes) -> "AdapterListing":
        """Parse a listing; raises ValueError."""
        return _LISTING.decode(body)


_LISTING: Final = msgspec.json.Decoder(AdapterListing)


class DesiredSource(Model):
    """A desired source, in the form of a BoardAgent's spec.adapter."""

    hugging_face: HuggingFaceSource | None = None
    s3: S3Source | None = None

    @model_validator(mode="after")
    def _one(self) -> "DesiredSource":
        if (self.hugging_face is None) == (self.s3 is None):
            raise ValueError("give one of huggingFace and s3")
        return self

    @classmethod
    def of(cls, source: Source) -> "DesiredSource":
        """Return a source in this form."""
        if isinstance(source, S3Source):
            return cls(s3=source)
        return cls(hugging_face=source)

    @property
    def source(self) -> Source:
        """The source that is set."""
        source = self.hugging_face or self.s3
        assert source is not None  # noqa: S101 (the validator holds it)
        return source


class DesiredSources(Model):
    """The body of PUT /v1/sources: all sources that the sidecar is to fetch and keep. Repeating it changes nothing."""

    sources: tuple[DesiredSource, ...] = Field(default=(), max_length=MAX_SOURCES)
    keep: tuple[str, ...] = Field(default=(), max_length=2 * MAX_SOURCES)
    """Stored directories that are still in use, although no source leads to them any more."""
    max_bytes: int = Field(ge=1)
    """How large one adapter may be."""

    @classmethod
    def decode(cls, body: bytes) -> "DesiredSources":
        """Parse a body; raises ValueError, which names the field."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise ValueError(problems(error)) from error


@dataclass(frozen=True, kw_only=True)
class AdapterFiles:
    """The properties of an adapter's files that the coordinator uses."""

    digest: str | None = None
    rank: int | None = None
    base_model: str | None = None
    modules: tuple[str, ...] = ()
    """The modules that the weights are for: paths in the base model, with `*` for the layer's number."""
    size_bytes: int = 0
    problem: str | None = None
    """The reason why the adapter can't be served, or None."""
    message: str = ""
    progress: str = field(default="", compare=False)
    """The progress of a download. Comparison ignores it: progress alone is no change."""


def missing_directory(path: str) -> AdapterFiles:
    """Return the files of a directory that the sidecar does not find."""
    remedy = "put it there (boardroom adapters push), make it readable for the pod's user, or correct spec.adapter.path"
    return AdapterFiles(problem=MISSING, message=f"{path}: no such directory on the adapters volume; {remedy}")
