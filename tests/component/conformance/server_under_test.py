"""The server that the conformance suite tests: the simulator, or a real LoRAX at LORAX_URL.

For a real LoRAX, LORAX_ADAPTER and LORAX_ADAPTER_SOURCE name an adapter that it can load. Without them, tests that need
an adapter are skipped, and so are tests that need faults to order.
"""

import socket
from dataclasses import dataclass
from typing import Any

import httpx
import pytest


@dataclass(frozen=True)
class Server:
    """A running server."""

    url: str
    adapter: str | None
    adapter_source: str
    simulated: bool

    def adapter_parameters(self) -> dict[str, str]:
        """Parameters of a request through the adapter; skips where none is known."""
        if self.adapter is None:
            pytest.skip("no LORAX_ADAPTER is known here")
        return {"adapter_id": self.adapter, "adapter_source": self.adapter_source}

    def fault(self, **fault: Any) -> None:
        """Order a fault; skips where the server is real."""
        if not self.simulated:
            pytest.skip("a real server doesn't go wrong to order")
        response = httpx.post(f"{self.url}/simulator/faults", json=fault)
        assert response.status_code == 201, response.text

    def mend(self) -> None:
        """End all faults."""
        if self.simulated:
            httpx.delete(f"{self.url}/simulator/faults")

    def request(self, method: str, path: str, **keywords: Any) -> httpx.Response:
        """A plain request."""
        return httpx.request(method, self.url + path, timeout=120, **keywords)

    def raw(self, request: bytes) -> bytes:
        """What the server answers to these bytes, which no client would send."""
        url = httpx.URL(self.url)
        with socket.create_connection((url.host, url.port or 80), timeout=120) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65_536), b""))

    def generate(self, inputs: str = "Why?", path: str = "/generate", **parameters: Any) -> httpx.Response:
        """A request of the native routes."""
        body = {"inputs": inputs, "parameters": {"max_new_tokens": 4, **parameters}}
        return self.request("POST", path, json=body)
