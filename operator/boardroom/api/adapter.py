"""The source of a member's adapter: the board's volume, a Hugging Face hub, an S3 bucket, or none."""

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints

from boardroom.api.model import PORT, Model, pattern_rule, rule, validated_by

HUB: Final = "https://huggingface.co"
"""The hub of a source that names no endpoint."""

MAX_ADAPTER_DEPTH: Final = 8
"""Depth below the mount at which adapters are still found."""
ADAPTER_PATH: Final = rf"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*){{0,{MAX_ADAPTER_DEPTH - 1}}}$"
"""An adapter's name on the volume. No part begins with a dot, so no name leads out of the volume."""
MAX_ADAPTER_PATH: Final = 253
ADAPTER_PATH_IN_WORDS: Final = (
    f"letters, digits, . _ - and /, at most {MAX_ADAPTER_DEPTH} parts of which none begins with a dot, and no / at "
    "either end"
)

_REPO: Final = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,95}/[A-Za-z0-9_][A-Za-z0-9._-]{0,95}$"
_REVISION: Final = r"^[A-Za-z0-9][A-Za-z0-9._/-]*$"
_BUCKET: Final = (
    r"^([A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9_]"
    r"|arn:aws[a-z-]*:s3:[a-z0-9-]*:[0-9]{12}:accesspoint[/:][A-Za-z0-9.-]{1,63}"
    r"|arn:aws[a-z-]*:s3-outposts:[a-z0-9-]+:[0-9]{12}:outpost[/:][A-Za-z0-9-]{1,63}[/:]accesspoint[/:][A-Za-z0-9-]{1,63})$"
)
"""Bucket names, also those of us-east-1 before 2018 (capitals, underscores, 255 characters), and access points."""
_PREFIX: Final = r"^[.]*[A-Za-z0-9_=-][A-Za-z0-9_.=-]*(/[.]*[A-Za-z0-9_=-][A-Za-z0-9_.=-]*)*/?$"
_ENDPOINT: Final = rf"^https?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:{PORT})?(/[A-Za-z0-9._~-]+)*/?$"
_REGION: Final = r"^[a-z0-9-]+$"

Endpoint = Annotated[str, StringConstraints(min_length=8, max_length=253, pattern=_ENDPOINT)]
"""A server's address without credentials, query or fragment."""


_ENDPOINT_RULE: Final = pattern_rule(
    _ENDPOINT,
    "give a URL, for example https://hub.example or http://minio:9000: http or https, host, port (1 to 65535) and "
    "path, without credentials (the board's spec.adapters.credentialsSecretRef holds those), query or fragment",
)


class HuggingFaceSource(Model):
    """An adapter in a repository of a Hugging Face hub."""

    repo: str = Field(
        min_length=1,
        max_length=193,
        pattern=_REPO,
        description="Repository, as owner/name.",
        json_schema_extra=pattern_rule(
            _REPO,
            "give the repository as owner/name, for example acme/ceo-lora; endpoint names another hub than "
            "huggingface.co",
        ),
    )
    revision: str = Field(
        default="main",
        min_length=1,
        max_length=128,
        pattern=_REVISION,
        description="Commit, tag or branch. Prefer a commit: each LoRAX pod resolves a branch once, and does not "
        "notice later commits.",
        json_schema_extra=pattern_rule(
            _REVISION, "give a commit, tag or branch of the repository: letters, digits, . _ - and /"
        ),
    )
    subfolder: str | None = Field(
        default=None,
        min_length=1,
        max_length=512,
        pattern=_PREFIX,
        description="Folder of the repository with the adapter's files, for example adapters/ceo. Unset: the root.",
        json_schema_extra=pattern_rule(
            _PREFIX,
            "give a folder of the repository, without a leading slash, for example adapters/ceo: letters, digits, "
            ". _ = - and /, and no part of it may be . or ..",
        ),
    )
    endpoint: Endpoint | None = Field(
        default=None,
        description="Another hub or a mirror, for example https://hub.example. Unset: huggingface.co.",
        json_schema_extra=_ENDPOINT_RULE,
    )

    @property
    def kind(self) -> str:
        """The value of status.adapter.source."""
        return "HuggingFace"

    @property
    def key(self) -> str:
        """The source in one line: its identity."""
        within = f"#{self.folder.rstrip('/')}" if self.subfolder else ""
        return f"hf://{self.repo}@{self.revision}{within}{_at(self.endpoint)}"

    @property
    def folder(self) -> str:
        """The subfolder with one slash at its end; empty for the root."""
        return f"{self.subfolder.rstrip('/')}/" if self.subfolder else ""

    @property
    def port(self) -> int:
        """TCP port of the download."""
        return _port(self.endpoint)


class S3Source(Model):
    """An adapter below a prefix of an S3 bucket."""

    model_config = validated_by(
        rule(
            "!self.bucket.startsWith('arn:') || !has(self.endpoint)",
            "an access point exists on AWS only: leave endpoint out, or give a bucket's name",
            ".endpoint",
        )
    )
    bucket: str = Field(
        min_length=3,
        max_length=255,
        pattern=_BUCKET,
        description="Name of the bucket, or the ARN of an access point.",
        json_schema_extra=pattern_rule(
            _BUCKET,
            "give the bucket's name alone, without s3:// and without a path (that is prefix): letters, digits, ., _ "
            "and -; or the ARN of an access point, arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME",
        ),
    )
    prefix: str = Field(
        min_length=1,
        max_length=512,
        pattern=_PREFIX,
        description="Prefix of the adapter's files, for example adapters/ceo/2026-11-25. Give each version a prefix "
        "of its own: a LoRAX pod does not notice later changes.",
        json_schema_extra=pattern_rule(
            _PREFIX,
            "give the folder of the adapter's files in the bucket, without a leading slash, for example "
            "adapters/ceo/2026-11-25: letters, digits, . _ = - and /, and no part of it may be . or ..",
        ),
    )
    endpoint: Endpoint | None = Field(
        default=None,
        description="An S3-compatible server, for example http://minio:9000. Unset: AWS.",
        json_schema_extra=_ENDPOINT_RULE,
    )
    region: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        pattern=_REGION,
        description="Region of the bucket. Unset: AWS_REGION of the credentials, else us-east-1.",
        json_schema_extra=pattern_rule(_REGION, "give the region's code, for example eu-central-1"),
    )

    @property
    def kind(self) -> str:
        """The value of status.adapter.source."""
        return "S3"

    @property
    def key(self) -> str:
        """The source in one line: its identity."""
        return f"s3://{self.bucket}/{self.folder}{_at(self.endpoint)}"

    @property
    def folder(self) -> str:
        """The prefix with one slash at its end."""
        return f"{self.prefix.rstrip('/')}/"

    @property
    def port(self) -> int:
        """TCP port of the download."""
        return _port(self.endpoint)


Source = HuggingFaceSource | S3Source
"""A source that the adapters sidecar fetches."""


class AdapterSpec(Model):
    """The LoRA adapter of a member."""

    model_config = validated_by(
        rule(
            "[has(self.path), has(self.huggingFace), has(self.s3), has(self.none) && self.none]"
            ".filter(x, x).size() <= 1",
            "give at most one of path, huggingFace, s3 and none: true",
        )
    )
    path: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_ADAPTER_PATH,
        pattern=ADAPTER_PATH,
        description="Directory below the board's spec.adapters.mountPath, relative to it. "
        "Unset, and no other source given: `{role}_lora_adapter` with the role in lower case.",
        json_schema_extra=pattern_rule(
            ADAPTER_PATH,
            "give a directory relative to the board's spec.adapters.mountPath, for example ceo/2: "
            + ADAPTER_PATH_IN_WORDS,
        ),
    )
    hugging_face: HuggingFaceSource | None = Field(
        default=None, description="A Hugging Face hub, from which the sidecar beside LoRAX fetches it."
    )
    s3: S3Source | None = Field(
        default=None, description="An S3 bucket, from which the sidecar beside LoRAX fetches it."
    )
    none: bool | None = Field(
        default=None, description="True: no adapter; the base model answers by this member's prompt."
    )

    @property
    def source(self) -> Source | None:
        """The source to fetch. None: nothing to fetch."""
        return self.hugging_face or self.s3


def _at(endpoint: str | None) -> str:
    return f" at {endpoint.rstrip('/')}" if endpoint else ""


def _port(endpoint: str | None) -> int:
    parts = urlsplit(endpoint or HUB)
    return parts.port or (80 if parts.scheme == "http" else 443)
