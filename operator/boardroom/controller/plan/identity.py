"""Pods whose ServiceAccount was replaced: their tokens died with the one before, and only new pods get others.

The kubelet keeps a token until it is nearly over, whatever becomes of the account. So the uid of an account that is
younger than the Deployment stands in the pod template, which replaces the pods once for each such account. A first
installation needs none: there the account is older than the Deployment, and so than every pod.
"""

from datetime import datetime, timedelta
from typing import Final

from boardroom.api.meta import GROUP
from boardroom.kube.kinds import Object

ANNOTATION: Final = f"{GROUP}/service-account"
_SKEW: Final = timedelta(seconds=5)
"""What the clocks of several API servers, and full seconds, may make an account younger than it is."""


def replaced(account: Object | None, deployment: Object | None) -> dict[str, str]:
    """The pod template's annotations, of the live account and the live Deployment; None where there is none."""
    if deployment is None:
        return {}
    if account is None:  # it is about to be made anew: nothing moves before it is there
        return _annotations(deployment)
    return {ANNOTATION: account["metadata"]["uid"]} if _made(account) - _made(deployment) > _SKEW else {}


def outlived(account: Object | None, deployment: Object | None) -> bool:
    """Whether pods by the live Deployment's template may be of an account before this one."""
    if account is None or deployment is None:
        return False
    return replaced(account, deployment) != _annotations(deployment)


def _annotations(deployment: Object) -> dict[str, str]:
    found = deployment["spec"]["template"]["metadata"].get("annotations") or {}
    return {ANNOTATION: found[ANNOTATION]} if ANNOTATION in found else {}


def _made(live: Object) -> datetime:
    return datetime.fromisoformat(live["metadata"]["creationTimestamp"])
