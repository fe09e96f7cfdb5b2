"""Cuts an answer before its first stop sequence, as OpenAI does, whether or not the engine leaves it in. Pure."""

from collections.abc import Sequence

import msgspec

from boardroom.engine.protocol import Generation


class StopCut:
    """Cuts a text that arrives in pieces of any size, before the stop sequence that is complete first.

    A piece's end that may begin a stop sequence is held back until the next piece.
    """

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = sequences
        self._held = ""
        self.found = False

    def feed(self, piece: str) -> str:
        """Return what the piece adds to the text for certain."""
        if self.found:
            return ""
        text, self._held = self._held + piece, ""
        matches = [(at + len(sequence), at) for sequence in self._sequences if (at := text.find(sequence)) >= 0]
        if matches:
            self.found = True
            return text[: min(matches)[1]]
        overlap = max((_overlap(text, sequence) for sequence in self._sequences), default=0)
        self._held = text[len(text) - overlap :]
        return text[: len(text) - overlap]

    def end(self) -> str:
        """Return what was held back, when the text has ended."""
        held, self._held = self._held, ""
        return held


def cut(generation: Generation, sequences: Sequence[str]) -> Generation:
    """Return the answer up to its first stop sequence; its token counts stay those of the engine."""
    if not sequences:
        return generation
    stops = StopCut(sequences)
    text = stops.feed(generation.text)
    return msgspec.structs.replace(generation, text=text, finish_reason="stop") if stops.found else generation


def _overlap(text: str, sequence: str) -> int:
    """Return how many characters at the end of the text begin the sequence."""
    longest = min(len(text), len(sequence) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(sequence[:size])), 0)
