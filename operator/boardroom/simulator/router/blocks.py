"""The token budget: the KV cache is divided into blocks, which are reserved at a request's admission."""

from typing import Final

BLOCK_TOKENS: Final = 16


class BlockBudget:
    """Counts free blocks. Without a prefix cache the blocks themselves don't matter."""

    def __init__(self, tokens: int) -> None:
        self.total = tokens // BLOCK_TOKENS
        self.free = self.total

    def reserve(self, tokens: int) -> bool:
        """Reserve the blocks of so many tokens; return False if there are too few."""
        blocks = blocks_for(tokens)
        if blocks > self.free:
            return False
        self.free -= blocks
        return True

    def release(self, tokens: int) -> None:
        """Release the blocks of so many tokens."""
        self.free += blocks_for(tokens)


def blocks_for(tokens: int) -> int:
    """Return how many blocks so many tokens need."""
    return -(-tokens // BLOCK_TOKENS)
