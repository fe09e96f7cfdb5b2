"""How the members are asked: one small function per file. A new mode is a new file and a name in CoordinationMode."""

from boardroom.coordinator.deliberation.modes.registry import MODES, Mode, mode

__all__ = ["MODES", "Mode", "mode"]
