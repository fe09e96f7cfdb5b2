"""Whether LoRAX is worth asking where there is standard inference beside it."""

from collections.abc import Callable


class CircuitBreaker:
    """Opens when LoRAX does not answer its health check, closes when a probe has got tokens out of it.

    While it is open no question waits for a time-out of LoRAX: the board is asked by standard inference. It lets no
    question through to find out how LoRAX is: that is the prober's work, which goes on.
    """

    def __init__(self, on_change: Callable[[bool], None] = lambda _open: None) -> None:
        self.reason: str | None = None
        """Why it is open; None while it is closed."""
        self._on_change = on_change

    def trip(self, reason: str) -> None:
        """LoRAX is down."""
        closed = self.reason is None
        self.reason = reason
        if closed:
            self._on_change(True)

    def reset(self) -> None:
        """LoRAX has answered."""
        if self.reason is not None:
            self.reason = None
            self._on_change(False)
