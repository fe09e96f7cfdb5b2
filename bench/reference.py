"""What only the right weights can say: each question's answer, word for word, by nobody but the adapter it names.

The reference sees each request to LoRAX and knows nothing of what is loaded there.
"""

from collections import defaultdict
from collections.abc import Callable

import msgspec

from boardroom.simulator.errors import LoraxError
from boardroom.simulator.json_schema.text import SchemaError
from boardroom.simulator.model_server.answer import Author
from boardroom.simulator.router.generation import Call
from boardroom.simulator.router.openai import ChatRequest, chat_call
from boardroom.simulator.router.request import GenerateRequest
from boardroom.simulator.router.tokens import generated_text
from boardroom.simulator.router.validation import Prompt, validate
from boardroom.simulator.settings import Settings
from boardroom.simulator.tokenizer.file import load_tokenizer


class Reference:
    """Every right answer to what was asked so far, by the path of the adapter."""

    def __init__(self, settings: Settings, digest: Callable[[str], str | None]) -> None:
        """`digest` is that of the adapter at a path."""
        self._settings = settings
        self._digest = digest
        self._tokenizer = load_tokenizer(settings.tokenizer)
        self._author = Author(settings.model_id, settings.identity_salt, self._tokenizer)
        self._answers: dict[str, set[str]] = defaultdict(set)

    def hear(self, route: str, body: bytes) -> str | None:
        """A request to LoRAX; returns what the adapter says to it, None where LoRAX refuses it."""
        try:
            call = self._call(route, body)
            valid = validate(call.prompt, call.parameters, self._settings, self._tokenizer)
            path = call.parameters.adapter_id or ""
            digest = self._digest(path) or ""
            answer = self._author.write(valid.prompt, valid.question, valid.sampling, path, digest)
        except (LoraxError, SchemaError):
            return None
        text = generated_text(answer.tokens)
        self._answers[path].add(text)
        return text

    def could_say(self, path: str, text: str) -> bool:
        """Whether the adapter at that path was asked what this is the whole answer to."""
        return text in self._answers[path]

    def _call(self, route: str, body: bytes) -> Call:
        if route == "/v1/chat/completions":
            return chat_call(msgspec.json.decode(body, type=ChatRequest), self._settings)
        request = msgspec.json.decode(body, type=GenerateRequest)
        return Call(Prompt(request.inputs), request.parameters)
