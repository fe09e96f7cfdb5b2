"""Conversations: how much a board keeps of them, where, and the body of GET /v1/conversations/{id}."""

from typing import Annotated
from urllib.parse import quote

from pydantic import BaseModel, Field, StringConstraints

from boardroom.api.ask import AdapterIdentity, EngineName
from boardroom.api.model import Model, SecretKeyRef, rule, validated_by

Host = Annotated[
    str, StringConstraints(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?$")
]
"""A host name or an IPv4 address, without port and credentials."""


class RedisTlsSpec(Model):
    """TLS to Redis. The coordinator always verifies the server's certificate and its name."""

    ca_secret_ref: SecretKeyRef | None = Field(
        default=None, description="Certificate of the authority (PEM). Unset: the authorities of the image."
    )


class RedisSpec(Model):
    """One Redis or Valkey server, or a Service of a primary. Clusters and sentinels are not supported."""

    model_config = validated_by(
        rule(
            "!has(self.username) || has(self.passwordSecretRef)",
            "username needs passwordSecretRef (a Secret of this namespace)",
        )
    )
    host: Host = Field(description="Host name or IPv4 address, without port and password.")
    port: int = Field(default=6379, ge=1, le=65535, description="Port.")
    database: int = Field(default=0, ge=0, le=9999, description="Number of the database.")
    username: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        pattern=r"^[^ \t-\r:@/]+$",
        description="ACL user. Unset: the default user.",
    )
    password_secret_ref: SecretKeyRef | None = Field(default=None, description="The user's password.")
    tls: RedisTlsSpec | None = Field(default=None, description="Use TLS. `{}` trusts the authorities of the image.")

    @property
    def url(self) -> str:
        """The server's URL without the password."""
        scheme = "redis" if self.tls is None else "rediss"
        user = f"{quote(self.username, safe='')}@" if self.username else ""
        return f"{scheme}://{user}{self.host}:{self.port}/{self.database}"


class ConversationsSpec(Model):
    """What the board keeps of a conversation (questions with the same conv_id), per member."""

    max_turns: int = Field(
        default=8, ge=1, le=100, description="Most answers kept, with their questions. The oldest are dropped first."
    )
    max_tokens: int = Field(
        default=512,
        ge=16,
        le=200000,
        description="Most tokens kept, in whole turns. They are part of the prompt: together with the system prompt "
        "and the question they must fit spec.lorax.maxInputTokens. The engine counts an answer's tokens; a question "
        "counts one token for every 3 bytes, which is more than tokenizers make of most texts.",
    )
    ttl_seconds: int = Field(
        default=86400, ge=1, le=2592000, description="Seconds after its last answer at which a conversation is deleted."
    )
    redis: RedisSpec | None = Field(
        default=None,
        description="Keep conversations in this Redis or Valkey: they outlive the coordinator's pod, and any replica "
        "continues them. Unset: in the coordinator's memory; they end with the pod.",
    )


class ConversationTurn(BaseModel):
    """A question and one member's answer."""

    request_id: str
    asked: str
    answered: str
    engine: EngineName | None
    adapter: AdapterIdentity | None = Field(
        description="The weights that answered then. The member may use others now."
    )
    tokens: int = Field(default=0, description="Tokens that the turn counts against maxTokens.")


class ConversationMember(BaseModel):
    """One member's thread, oldest turn first."""

    agent: str
    role: str
    uid: str = Field(
        description="uid of the BoardAgent. A BoardAgent created again under the same name starts a new thread."
    )
    forgotten: int = Field(default=0, description="Turns dropped from the beginning.")
    turns: list[ConversationTurn] = []


class Conversation(BaseModel):
    """A conversation with a board."""

    conv_id: str
    members: list[ConversationMember] = Field(default=[], description="By name.")
