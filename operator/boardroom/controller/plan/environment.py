"""Environment variables of a container that a board sets."""

from collections.abc import Iterable

from boardroom.api.pods import EnvVar
from boardroom.kube.kinds import Object


def variables(env: Iterable[EnvVar]) -> list[Object]:
    """The field env of a container: literal values, and references to Secrets."""
    return [
        {"name": v.name, "value": v.value or ""}
        if v.secret_key_ref is None
        else {"name": v.name, "valueFrom": {"secretKeyRef": v.secret_key_ref.to_object()}}
        for v in env
    ]
