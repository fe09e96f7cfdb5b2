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
    _delivered: dict[Watch, int] = field(default_factory=dict)
    _undelivered: dict[Watch, tuple[int, float]] = field(default_factory=dict)

    def listed(self, watch: Watch, newest: int) -> None:
        """A list has shown no version above this one. A debt above that is of an object that is gone."""
        undelivered, since = self._undelivered.pop(watch, (newest, self.clock()))
        if newest > self._delivered.get(watch, 0):
            self._undelivered[watch] = min(undelivered, newest), since

    def delivered(self, watch: Watch, obj: Object) -> None:
        """The watch has told of this object."""
        self._delivered[watch] = delivered = max(self._delivered.get(watch, 0), version_of(obj))
        if watch in self._undelivered and delivered >= self._undelivered[watch][0]:
            del self._undelivered[watch]

    def stale(self) -> list[str]:
        """The watches that owe for too long, in words."""
        now = self.clock()
        return [
            f"the watch of {kind.plural}{f' in {namespace}' if namespace else ''} has not told for {now - since:.0f} s "
            "what a list found"
            for (kind, namespace), (_, since) in self._undelivered.items()
            if now - since > self.grace_seconds
        ]
