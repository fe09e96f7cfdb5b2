"""Every mode by its name: importing the package's modules fills it."""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable

from boardroom.api.ask import CoordinationMode
from boardroom.coordinator.deliberation.session import Session
from boardroom.coordinator.deliberation.types import Agenda, Deliberation

Mode = Callable[[Session, Agenda], Awaitable[Deliberation]]

MODES: dict[CoordinationMode, Mode] = {}


def mode(name: CoordinationMode) -> Callable[[Mode], Mode]:
    """Register a function as the mode of that name."""

    def register(function: Mode) -> Mode:
        MODES[name] = function
        return function

    return register


def load() -> dict[CoordinationMode, Mode]:
    """Import every module beside this one, so that it registers itself."""
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        importlib.import_module(module.name)
    return MODES
