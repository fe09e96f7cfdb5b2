"""Pods whose ServiceAccount was replaced: their tokens died with the former account, and only new pods get valid ones.

The kubelet keeps a token until shortly before it expires, even if the account is deleted. So the pod template has the
uid of an account that is younger than the Deployment, which replaces the pods once for each such account. A first
installation needs no annotation: its account is older than the Deployment, and so than every pod.
"""

from datetime import datetime, timedelta
from typing import Final

from boardroom.api.meta import GROUP
from boardroom.kube.kinds import Object

ANNOTATION: Final = f"{GROUP}/service-account"
_SKEW: Final = timedelta(seconds=5)
"""Skew of the clocks of several API servers, and of times in whole seconds."""


def pod_annotations(account: Object | None, deployment: Object | None) -> dict[str, str]:
    """The annotations of the pod template, by the live account and Deployment; None: it does not exist."""
    if deployment is None:
        return {}
    if account is None:  # it is about to be created again: the template stays until then
        return _annotations(deployment)
    return {ANNOTATION: account["metadata"]["uid"]} if _created(account) - _created(deployment) > _SKEW else {}


def may_use_former_account(account: Object | None, deployment: Object | None) -> bool:
    """Whether pods of the live Deployment may have a former account's token."""
    if account is None or deployment is None:
        return False
    return pod_annotations(account, deployment) != _annotations(deployment)


def _annotations(deployment: Object) -> dict[str, str]:
    annotations = deployment["spec"]["template"]["metadata"].get("annotations") or {}
    return {ANNOTATION: annotations[ANNOTATION]} if ANNOTATION in annotations else {}


def _created(live: Object) -> datetime:
    return datetime.fromisoformat(live["metadata"]["creationTimestamp"])
