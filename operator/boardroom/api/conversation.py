"""What a board remembers of conversations: how much, where, and the body of GET /v1/conversations/{id}."""

from typing import Annotated
from urllib.parse import quote

from pydantic import BaseModel, Field, StringConstraints

from boardroom.api.ask import AdapterIdentity, EngineName
from boardroom.api.model import Model, SecretKeyRef, checked, rule

Host = Annotated[
    str, StringConstraints(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?$")
]
"""A host name or an IPv4 address, alone: no port, no credentials."""


class RedisTlsSpec(Model):
    """The server's certificate is always checked, and so is the name in it."""

    ca_secret_ref: SecretKeyRef | None = Field(
        default=None, description="The authority's certificate (PEM), where it is not one that everybody trusts."
    )


class RedisSpec(Model):
    """One Redis or Valkey server (or a Service before a primary); clusters and sentinels are not spoken to."""

    model_config = checked(
        rule(
            "!has(self.username) || has(self.passwordSecretRef)",
            "username needs passwordSecretRef (a Secret of this namespace)",
        )
    )
    host: Host = Field(description="Host name or IPv4 address; the port and the password have fields of their own.")
    port: int = Field(default=6379, ge=1, le=65535, description="Port.")
    database: int = Field(default=0, ge=0, le=9999, description="Number of the database.")
    username: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        pattern=r"^[^ \t-\r:@/]+$",
        description="The ACL user; unset, the default user.",
    )
    password_secret_ref: SecretKeyRef | None = Field(default=None, description="The user's password.")
    tls: RedisTlsSpec | None = Field(default=None, description="Speak TLS; `{}` trusts the authorities of the image.")

    @property
    def url(self) -> str:
        """Where it is, without the password."""
        scheme = "redis" if self.tls is None else "rediss"
        user = f"{quote(self.username, safe='')}@" if self.username else ""
        return f"{scheme}://{user}{self.host}:{self.port}/{self.database}"


class ConversationsSpec(Model):
    """What is remembered of a conversation (questions with the same conv_id), for each member by itself."""

    max_turns: int = Field(
        default=8, ge=1, le=100, description="At most so many answers with their questions; the oldest go first."
    )
    max_tokens: int = Field(
        default=512,
        ge=16,
        le=200000,
        description="At most so many tokens of them, in whole turns. They are part of the prompt: with the system "
        "prompt and the question they must fit spec.lorax.maxInputTokens. An answer's tokens are those that the engine "
        "counted; of a question a token is reckoned for every 3 bytes, which is more than tokenizers make of most "
        "texts.",
    )
    ttl_seconds: int = Field(
        default=86400, ge=1, le=2592000, description="A conversation is forgotten so long after its last answer."
    )
    redis: RedisSpec | None = Field(
        default=None,
        description="Remember in this Redis or Valkey, so that a conversation outlives the coordinator's pod and goes "
        "on at any replica. Unset: in the coordinator's memory, and it ends with the pod.",
    )


class ConversationTurn(BaseModel):
    """A question, and what one member answered."""

    request_id: str
    asked: str
    answered: str
    engine: EngineName | None
    adapter: AdapterIdentity | None = Field(description="The weights that spoke then; they may be others now.")
    tokens: int = Field(default=0, description="What it counts for against maxTokens.")


class ConversationMember(BaseModel):
    """One member's own thread, oldest turn first."""

    agent: str
    role: str
    uid: str = Field(description="The BoardAgent's; one made anew under the same name starts anew.")
    forgotten: int = Field(default=0, description="Turns that were cut: the oldest go first.")
    turns: list[ConversationTurn] = []


class Conversation(BaseModel):
    """A conversation with a board."""

    conv_id: str
    members: list[ConversationMember] = Field(default=[], description="By name.")
