"""Whose answer is this? A mark that only somebody who knows the salt can make or check."""

import hashlib
import hmac


def voice(salt: str, base_model: str, adapter_id: str, digest: str) -> str:
    """16 hex digits that stand for the weights which spoke; for the base model alone adapter_id and digest are ""."""
    message = f"{base_model}\0{adapter_id}\0{digest}".encode("utf-8", "surrogatepass")
    return hmac.new(salt.encode(), message, hashlib.sha256).hexdigest()[:16]
