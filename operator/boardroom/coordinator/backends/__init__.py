"""The LoRAX servers of a board, and which of them a batch goes to."""
