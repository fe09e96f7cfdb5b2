"""`boardroom simulate`: a LoRAX without a GPU."""

from boardroom.simulator.launcher.main import simulate

__all__ = ["simulate"]
