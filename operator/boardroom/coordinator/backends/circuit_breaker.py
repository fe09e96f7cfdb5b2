"""The circuit breaker for LoRAX on a board that also has standard inference."""

from collections.abc import Callable


class CircuitBreaker:
    """Opens when LoRAX does not answer its health check, closes when a probe has got tokens out of it.

    While the breaker is open, standard inference answers, so no question waits for a time-out of LoRAX. The breaker
    lets no question through as a test of LoRAX: the prober tests LoRAX.
    """

    def __init__(self, on_change: Callable[[bool], None] = lambda _open: None) -> None:
        self.reason: str | None = None
        """Why the breaker is open; None while it is closed."""
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
