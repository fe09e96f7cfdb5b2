"""The token budget: keys and values live in blocks that are reserved when a request is admitted."""

from typing import Final

BLOCK_TOKENS: Final = 16


class BlockBudget:
    """Counts free blocks; which block is whose doesn't matter without a prefix cache."""

    def __init__(self, tokens: int) -> None:
        self.total = tokens // BLOCK_TOKENS
        self.free = self.total

    def reserve(self, tokens: int) -> bool:
        """Take the blocks for so many tokens, or none and return False."""
        blocks = blocks_for(tokens)
        if blocks > self.free:
            return False
        self.free -= blocks
        return True

    def release(self, tokens: int) -> None:
        """Give them back."""
        self.free += blocks_for(tokens)


def blocks_for(tokens: int) -> int:
    """Blocks that so many tokens fill, the last one perhaps in part."""
    return -(-tokens // BLOCK_TOKENS)
