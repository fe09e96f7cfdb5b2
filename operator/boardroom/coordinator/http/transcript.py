"""From the messages of a chat to past turns and the question. Pure.

No model behind a board has tools, and few chat templates know their roles. So tool calls and results in a chat become
text: a call is part of the assistant's message, its result of the user's next one.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from boardroom.api.chat import ChatMessage
from boardroom.coordinator.errors import InvalidQuestion
from boardroom.engine.protocol import PastTurn

SYSTEM: Final = frozenset({"system", "developer"})
RESULT: Final = frozenset({"tool", "function"})


def system(messages: Iterable[ChatMessage]) -> str:
    """Join the system messages."""
    return "\n\n".join(m.text for m in messages if m.role in SYSTEM)


def exchanges(messages: Sequence[ChatMessage]) -> list[PastTurn]:
    """Questions with their answers, the last without; messages of one side in a row are one, under each other. Raises
    InvalidQuestion.

    Where the assistant greets first, the question before it is empty: chat templates want the user to begin.
    """
    turns: list[tuple[str, list[str]]] = []
    for side, text in _sides(messages):
        if turns and turns[-1][0] == side:
            turns[-1][1].append(text)
        else:
            turns.append((side, [text]))
    if turns and turns[0][0] == "assistant":
        turns.insert(0, ("user", [""]))
    if not turns or turns[-1][0] != "user":
        text = "messages: the last beside system ones must be the user's, or a tool's"
        raise InvalidQuestion(text, field="messages")
    texts = ["\n\n".join(filter(None, parts)) for _, parts in turns] + [""]
    if not texts[-2].strip():
        raise InvalidQuestion("messages: the last one is blank: ask something", field="messages")
    return [PastTurn(asked, answered) for asked, answered in zip(texts[::2], texts[1::2], strict=True)]


def _sides(messages: Iterable[ChatMessage]) -> Iterator[tuple[str, str]]:
    """Yield each message's side (user or assistant) and text."""
    names: dict[str, str] = {}
    for message in messages:
        if message.role == "assistant":
            names |= {call.id: call.name for call in message.tool_calls or ()}
            yield "assistant", "\n".join(filter(None, [message.text, *_calls(message)]))
        elif message.role in RESULT:
            name = message.name or names.get(message.tool_call_id or "", "tool")
            yield "user", f"[result of {name}] {message.text}"
        elif message.role not in SYSTEM:
            yield "user", message.text


def _calls(message: ChatMessage) -> Iterator[str]:
    for call in message.tool_calls or ():
        yield f"[call of {call.name}] {call.arguments}"
    if message.function_call is not None:
        yield f"[call of {message.function_call.name}] {message.function_call.arguments}"
