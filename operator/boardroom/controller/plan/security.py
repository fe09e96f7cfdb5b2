"""Security contexts: Pod Security "restricted" for our own containers, "baseline" for LoRAX, which runs as root."""

from boardroom.kube.kinds import Object

USER = 65532
"""The numeric user of our image."""


def restricted() -> Object:
    """The security context of a container of our own image."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def baseline() -> Object:
    """The security context of the LoRAX container, which runs as root and writes into its own file system."""
    return {"allowPrivilegeEscalation": False, "seccompProfile": {"type": "RuntimeDefault"}}
