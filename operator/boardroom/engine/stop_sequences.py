"""An answer ends before its first stop sequence, as OpenAI's do, whatever its engine leaves in the text. Pure."""

from collections.abc import Sequence

import msgspec

from boardroom.engine.protocol import Generation


class StopCut:
    """Takes a text in pieces of any size and gives it back up to its first stop sequence; whichever is whole first ends
    it. What may be the beginning of one is held back until the next piece tells.
    """

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = sequences
        self._held = ""
        self.found = False

    def feed(self, piece: str) -> str:
        """What the text has more of for certain."""
        if self.found:
            return ""
        text, self._held = self._held + piece, ""
        whole = [(at + len(one), at) for one in self._sequences if (at := text.find(one)) >= 0]
        if whole:
            self.found = True
            return text[: min(whole)[1]]
        begun = max((_overlap(text, one) for one in self._sequences), default=0)
        self._held = text[len(text) - begun :]
        return text[: len(text) - begun]

    def end(self) -> str:
        """What was held back and began no stop sequence."""
        held, self._held = self._held, ""
        return held


def cut(generation: Generation, sequences: Sequence[str]) -> Generation:
    """The answer up to its first stop sequence; its tokens are those that the engine counted."""
    stops = StopCut(sequences)
    text = stops.feed(generation.text)
    return msgspec.structs.replace(generation, text=text, finish_reason="stop") if stops.found else generation


def _overlap(text: str, sequence: str) -> int:
    """How many characters at the end of a text are the beginning of the sequence."""
    longest = min(len(text), len(sequence) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(sequence[:size])), 0)
