"""spec.coordinator of a Boardroom: who may ask, replicas, CORS and conversations."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from boardroom.api.conversation import ConversationsSpec
from boardroom.api.model import SET, Model, ObjectName, map_list, pattern_rule, rule, validated_by
from boardroom.api.pods import EnvVar, ResourceRequirements

AuthMode = Literal["Kubernetes", "ApiKey", "None"]

STALE_IF_ERROR_SECONDS: Final = 3600
"""The lifetime of a projected token: the kubelet can't renew one without the API server either."""


class ApiKeySecretRef(Model):
    """A Secret with API keys."""

    name: ObjectName = Field(description="Name of the Secret, in the board's namespace.")
    key: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        pattern=r"^[-._a-zA-Z0-9]+$",
        description="Use only this key of the Secret's data. Unset: all keys.",
    )


class AuthSpec(Model):
    """Who may ask the board."""

    model_config = validated_by(
        rule(
            "(self.mode == 'ApiKey') == has(self.apiKeySecretRef)",
            "mode ApiKey needs apiKeySecretRef (a Secret of this namespace); other modes do not take it",
        ),
        rule(
            "!has(self.staleIfErrorSeconds) || self.mode == 'Kubernetes'",
            "staleIfErrorSeconds belongs to mode Kubernetes: other modes do not ask the API server",
            ".staleIfErrorSeconds",
        ),
    )
    mode: AuthMode = Field(
        description="Kubernetes: callers whose bearer token has the audience `boardroom` and the right to `create "
        "boardrooms/ask` of this board; needs an operator that watches all namespaces. ApiKey: callers that send one "
        "of the Secret's keys as bearer token. None: everyone who reaches the coordinator."
    )
    api_key_secret_ref: ApiKeySecretRef | None = Field(
        default=None,
        description="ApiKey: the Secret. Each value holds one key per line, of at least 16 characters. Several keys "
        "are valid at once, so that they can be rotated. A change takes effect within two minutes, without a restart.",
    )
    stale_if_error_seconds: int | None = Field(
        default=None,
        ge=0,
        le=86400,
        description="Kubernetes: while the API server does not answer, a token that was allowed stays allowed for so "
        "many seconds after its last review, and never beyond its own expiry. 0: only while the review is cached "
        f"(60 s). Unset: {STALE_IF_ERROR_SECONDS}.",
    )

    @property
    def stale_seconds(self) -> int:
        """stale_if_error_seconds with its default."""
        seconds = self.stale_if_error_seconds
        return STALE_IF_ERROR_SECONDS if seconds is None else seconds


_ORIGIN: Final = r"^[a-z][a-z0-9+.-]*://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?$"
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}

Origin = Annotated[
    str,
    StringConstraints(min_length=1, max_length=253, pattern=_ORIGIN),
    Field(
        json_schema_extra=pattern_rule(
            _ORIGIN, "write an origin as browsers do: scheme://host or scheme://host:port, without a path, a slash or *"
        )
    ),
]


class CorsSpec(Model):
    """Web pages of other origins that may ask from a browser (CORS)."""

    allow_origins: tuple[Origin, ...] = Field(
        default=(),
        max_length=32,
        description="Origins whose pages may read the coordinator's answers, for example https://app.example.com. "
        "Callers need the rights of auth all the same. Unset: none.",
        json_schema_extra=SET,
    )

    @property
    def as_sent(self) -> list[str]:
        """The origins as browsers send them: lower case, without the scheme's default port."""
        return [
            origin.removesuffix(_DEFAULT_PORTS.get(origin.partition(":")[0], " "))
            for origin in map(str.lower, self.allow_origins)
        ]


class CoordinatorSpec(Model):
    """The service in front of LoRAX."""

    model_config = validated_by(
        rule(
            "!has(self.env) || self.env.all(e, e.name.startsWith('OTEL_'))",
            "env takes variables of OpenTelemetry only (OTEL_...); other settings have their own fields",
            ".env",
        )
    )
    auth: AuthSpec | None = Field(
        default=None,
        description="Who may ask the board. Unset: mode Kubernetes if the operator watches all namespaces, else mode "
        "ApiKey with the Secret BOARD-api-keys. status.auth shows the value in effect.",
    )

    replicas: int = Field(
        default=1,
        ge=1,
        le=8,
        description="Coordinator pods. All of them answer questions. The one that holds the board's Lease loads and "
        "probes adapters and writes status; the others send to LoRAX while it grants that, and one takes over when it "
        "ends. Without conversations.redis only the pod that answered a conversation knows it.",
    )
    resources: ResourceRequirements | None = Field(default=None, description="Resources of the coordinator container.")
    env: tuple[EnvVar, ...] = Field(
        default=(),
        max_length=32,
        description="OpenTelemetry's variables, for example OTEL_EXPORTER_OTLP_ENDPOINT, which enables tracing "
        "(docs/how-to/observability.md).",
        json_schema_extra=map_list("name"),
    )
    request_timeout_seconds: int = Field(
        default=120, ge=1, le=3600, description="Deadline in seconds of a question that names none."
    )
    cors: CorsSpec = Field(
        default_factory=CorsSpec, description="Web pages of other origins that may ask from a browser (CORS)."
    )
    conversations: ConversationsSpec = Field(
        default_factory=ConversationsSpec,
        description="What the board keeps of questions with the same conv_id, and where.",
    )
