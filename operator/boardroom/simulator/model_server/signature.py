"""The signature of an answer: which weights wrote it. Only a holder of the salt can make or check one."""

import hashlib
import hmac


def signature(salt: str, base_model: str, adapter_id: str, digest: str) -> str:
    """Return the 16 hex digits that stand for these weights.

    `digest` is that of the adapter's files. For the base model alone `adapter_id` and `digest` are "".
    """
    message = f"{base_model}\0{adapter_id}\0{digest}".encode("utf-8", "surrogatepass")
    return hmac.new(salt.encode(), message, hashlib.sha256).hexdigest()[:16]
