"""Whether each watch still reports what lists find: a dead watch looks like one without events."""

from collections.abc import Callable
from dataclasses import dataclass, field

from boardroom.kube.kinds import Kind, Object, version_of

Watch = tuple[Kind, str | None]
"""A kind and the watched namespace; None: all namespaces."""


@dataclass
class Watches:
    """By watch, the newest resource version that a list has shown and the watch has not delivered."""

    clock: Callable[[], float]
    """Monotonic seconds."""
    grace_seconds: float = 120.0
    """Kopf restarts a silent watch after 70 s; a watch that is behind for longer is dead."""
    _delivered: dict[Watch, int] = field(default_factory=dict)
    _undelivered: dict[Watch, tuple[int, float]] = field(default_factory=dict)

    def listed(self, watch: Watch, newest: int) -> None:
        """A list has shown no version above `newest`; an undelivered version above that is of a deleted object."""
        undelivered, since = self._undelivered.pop(watch, (newest, self.clock()))
        if newest > self._delivered.get(watch, 0):
            self._undelivered[watch] = min(undelivered, newest), since

    def delivered(self, watch: Watch, obj: Object) -> None:
        """The watch has delivered an event of this object."""
        self._delivered[watch] = delivered = max(self._delivered.get(watch, 0), version_of(obj))
        if watch in self._undelivered and delivered >= self._undelivered[watch][0]:
            del self._undelivered[watch]

    def stale(self) -> list[str]:
        """The watches that are behind for too long, as messages."""
        now = self.clock()
        return [
            f"the watch of {kind.plural}{f' in {namespace}' if namespace else ''} has not delivered for "
            f"{now - since:.0f} s what a list found"
            for (kind, namespace), (_, since) in self._undelivered.items()
            if now - since > self.grace_seconds
        ]
