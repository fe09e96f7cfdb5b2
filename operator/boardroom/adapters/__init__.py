"""What a LoRA adapter on disk is: read, check, digest; the sidecar that serves that beside LoRAX."""

from boardroom.adapters.adapter import Adapter, read
from boardroom.adapters.digest import Digests
from boardroom.adapters.problem import Problem, Reason
from boardroom.adapters.scan import NamedAdapter, Scanner

__all__ = ["Adapter", "Digests", "NamedAdapter", "Problem", "Reason", "Scanner", "read"]
