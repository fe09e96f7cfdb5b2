"""What a board remembers of a conversation: the body of GET /v1/conversations/{id}."""

from pydantic import BaseModel, Field

from boardroom.api.ask import AdapterIdentity, EngineName


class ConversationTurn(BaseModel):
    """A question, and what one member answered."""

    request_id: str
    asked: str
    answered: str
    engine: EngineName | None
    adapter: AdapterIdentity | None = Field(description="The weights that spoke then; they may be others now.")


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
