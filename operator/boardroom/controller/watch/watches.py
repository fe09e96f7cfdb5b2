"""Whether each watch still tells what the lists find: one that is dead looks like one with nothing to tell."""

from collections.abc import Callable
from dataclasses import dataclass, field

from boardroom.kube.kinds import Kind, Object, version_of

Watch = tuple[Kind, str | None]
"""A kind, and the namespace that is watched; None for all."""


@dataclass
class Watches:
    """What each watch owes: the newest version that a list has shown and the watch has not."""

    clock: Callable[[], float]
    """Monotonic seconds."""
    grace_seconds: float = 120.0
    """Kopf begins a silent watch anew after 70 s; one that owes for longer is past that."""
    _told: dict[Watch, int] = field(default_factory=dict)
    _owed: dict[Watch, tuple[int, float]] = field(default_factory=dict)

    def listed(self, watch: Watch, newest: int) -> None:
        """A list has shown no version above this one. A debt above that is of an object that is gone."""
        owed, since = self._owed.pop(watch, (newest, self.clock()))
        if newest > self._told.get(watch, 0):
            self._owed[watch] = min(owed, newest), since

    def told(self, watch: Watch, obj: Object) -> None:
        """The watch has told of this object."""
        self._told[watch] = told = max(self._told.get(watch, 0), version_of(obj))
        if watch in self._owed and told >= self._owed[watch][0]:
            del self._owed[watch]

    def dead(self) -> list[str]:
        """The watches that owe for too long, in words."""
        now = self.clock()
        return [
            f"the watch of {kind.plural}{f' in {namespace}' if namespace else ''} has not told for {now - since:.0f} s "
            "what a list found"
            for (kind, namespace), (_, since) in self._owed.items()
            if now - since > self.grace_seconds
        ]
