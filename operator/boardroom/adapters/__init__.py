"""LoRA adapters on disk: reading, checks and digests; the sidecar that lists and fetches them; uploads."""

from boardroom.adapters.adapter import Adapter, read
from boardroom.adapters.digest import Digests
from boardroom.adapters.problem import Problem, Reason
from boardroom.adapters.scan import NamedAdapter, Scanner

__all__ = ["Adapter", "Digests", "NamedAdapter", "Problem", "Reason", "Scanner", "read"]
