"""`boardroom simulate`: a LoRAX without a GPU."""

from boardroom.simulator.launcher import simulate

__all__ = ["simulate"]
