"""Security contexts: our own containers meet Pod Security restricted, LoRAX's image (it runs as root) baseline."""

from boardroom.kube.kinds import Object

USER = 65532
"""The numeric user of our image."""


def restricted() -> Object:
    """Of a container from our own image."""
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
    """Of the LoRAX container, whose image runs as root and writes into its own file system."""
    return {"allowPrivilegeEscalation": False, "seccompProfile": {"type": "RuntimeDefault"}}
