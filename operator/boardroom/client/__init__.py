"""Python client of a board's coordinator: `Client`, and `AsyncClient` with the same methods to await.

    with Client("http://127.0.0.1:8000") as board:
        answer = board.ask("Analyze Q2 performance", agents=["ceo", "cfo"])

Every failure is a BoardroomError.
"""

from boardroom.api.ask import AskResponse, Batch, CoordinationMode, MemberAnswer, MemberProblem
from boardroom.api.conversation import Conversation, ConversationMember, ConversationTurn
from boardroom.client.clients import AskOptions, AsyncClient, Client
from boardroom.client.errors import BoardroomError, UnreachableError
from boardroom.client.events import Event

__all__ = [
    "AskOptions",
    "AskResponse",
    "AsyncClient",
    "Batch",
    "BoardroomError",
    "Client",
    "Conversation",
    "ConversationMember",
    "ConversationTurn",
    "CoordinationMode",
    "Event",
    "MemberAnswer",
    "MemberProblem",
    "UnreachableError",
]
