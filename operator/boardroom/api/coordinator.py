"""spec.coordinator of a Boardroom: who may ask, how many answer, and what they remember."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from boardroom.api.conversation import ConversationsSpec
from boardroom.api.model import SET, Model, ObjectName, checked, map_list, rule, said
from boardroom.api.pods import EnvVar, ResourceRequirements

AuthMode = Literal["Kubernetes", "ApiKey", "None"]

STALE_IF_ERROR_SECONDS: Final = 3600
"""As long as a projected token lives: the kubelet can't renew one without the API server either."""


class ApiKeySecretRef(Model):
    """A Secret with API keys."""

    name: ObjectName = Field(description="Name of the Secret, in the board's namespace.")
    key: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        pattern=r"^[-._a-zA-Z0-9]+$",
        description="Only this key of the Secret's data; unset, all of them.",
    )


class AuthSpec(Model):
    """Who may ask the board."""

    model_config = checked(
        rule(
            "(self.mode == 'ApiKey') == has(self.apiKeySecretRef)",
            "mode ApiKey needs apiKeySecretRef (a Secret of this namespace), and no other mode takes it",
        ),
        rule(
            "!has(self.staleIfErrorSeconds) || self.mode == 'Kubernetes'",
            "staleIfErrorSeconds belongs to mode Kubernetes: no other asks the API server",
            ".staleIfErrorSeconds",
        ),
    )
    mode: AuthMode = Field(
        description="Kubernetes: whose bearer token has the audience `boardroom` and may `create boardrooms/ask` of "
        "this board; needs an operator that looks at all namespaces. ApiKey: who sends one of the Secret's keys as "
        "bearer token. None: whoever reaches the coordinator."
    )
    api_key_secret_ref: ApiKeySecretRef | None = Field(
        default=None,
        description="ApiKey: the Secret. Each value holds one key a line, of at least 16 characters; several are "
        "valid at once, so that they can be rotated, and a change counts within two minutes without a restart.",
    )
    stale_if_error_seconds: int | None = Field(
        default=None,
        ge=0,
        le=86400,
        description="Kubernetes: for so long after its review an allowed token is let in while the API server gives no "
        f"answer, and never beyond the token's own end. 0: only while the verdict is fresh (60 s). Unset: "
        f"{STALE_IF_ERROR_SECONDS}.",
    )

    @property
    def stale_seconds(self) -> int:
        """The same with its default."""
        given = self.stale_if_error_seconds
        return STALE_IF_ERROR_SECONDS if given is None else given


_ORIGIN: Final = r"^[a-z][a-z0-9+.-]*://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?$"
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}

Origin = Annotated[
    str,
    StringConstraints(min_length=1, max_length=253, pattern=_ORIGIN),
    Field(
        json_schema_extra=said(
            _ORIGIN, "write an origin as browsers do: scheme://host or scheme://host:port, without a path, a slash or *"
        )
    ),
]


class CorsSpec(Model):
    """Which pages of other origins may ask from a browser (CORS)."""

    allow_origins: tuple[Origin, ...] = Field(
        default=(),
        max_length=32,
        description="Origins whose pages may read the coordinator's answers, as in https://app.example.com. Who asks "
        "needs a right all the same (auth). Unset: none.",
        json_schema_extra=SET,
    )

    @property
    def as_sent(self) -> list[str]:
        """The origins as browsers send them: in lower case, without the scheme's own port."""
        return [
            origin.removesuffix(_DEFAULT_PORTS.get(origin.partition(":")[0], " "))
            for origin in map(str.lower, self.allow_origins)
        ]


class CoordinatorSpec(Model):
    """The service in front of LoRAX."""

    model_config = checked(
        rule(
            "!has(self.env) || self.env.all(e, e.name.startsWith('OTEL_'))",
            "env takes variables of OpenTelemetry only (OTEL_...); all else has a field of its own",
            ".env",
        )
    )
    auth: AuthSpec | None = Field(
        default=None,
        description="Who may ask the board. Unset: mode Kubernetes under an operator that looks at all namespaces, "
        "else mode ApiKey with the Secret BOARD-api-keys. The effective value stands in status.auth.",
    )

    replicas: int = Field(
        default=1,
        ge=1,
        le=8,
        description="Coordinators, each a pod that takes questions. One of them, by a Lease, loads and proves adapters "
        "and writes status; the others send to LoRAX while it lets them, and one of them takes over when it ends. "
        "Without conversations.redis a conversation is known to the pod that was asked, and to no other.",
    )
    resources: ResourceRequirements | None = Field(default=None, description="Resources of the coordinator container.")
    env: tuple[EnvVar, ...] = Field(
        default=(),
        max_length=32,
        description="OpenTelemetry's variables, for example OTEL_EXPORTER_OTLP_ENDPOINT, which switches tracing on "
        "(docs/how-to/observability.md).",
        json_schema_extra=map_list("name"),
    )
    request_timeout_seconds: int = Field(
        default=120, ge=1, le=3600, description="Deadline of a question that names none, in seconds."
    )
    cors: CorsSpec = Field(
        default_factory=CorsSpec, description="Which pages of other origins may ask from a browser (CORS)."
    )
    conversations: ConversationsSpec = Field(
        default_factory=ConversationsSpec,
        description="What is remembered of questions with the same conv_id, and where.",
    )
