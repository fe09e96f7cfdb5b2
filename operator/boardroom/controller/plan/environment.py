"""Environment that a board gives a container."""

from collections.abc import Iterable

from boardroom.api.pods import EnvVar
from boardroom.kube.kinds import Object


def variables(given: Iterable[EnvVar]) -> list[Object]:
    """The variables as a container has them, literal or out of Secrets."""
    return [
        {"name": v.name, "value": v.value or ""}
        if v.secret_key_ref is None
        else {"name": v.name, "valueFrom": {"secretKeyRef": v.secret_key_ref.to_object()}}
        for v in given
    ]
