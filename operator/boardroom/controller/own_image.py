"""The operator's own image, which coordinators and sidecars run from."""

from collections.abc import Mapping
from typing import Final

from boardroom.controller.plan.blueprint import Image
from boardroom.kube.kinds import POD
from boardroom.kube.protocol import Kube

_CONTAINER: Final = "operator"
_PULL_POLICIES: Final = ("Always", "IfNotPresent", "Never")


class StartError(Exception):
    """The operator can't start as it is configured; the message names what is missing."""


async def own_image(kube: Kube, env: Mapping[str, str]) -> Image:
    """BOARDROOM_IMAGE, else the image of this pod. Raises StartError and KubeError."""
    policy = env.get("BOARDROOM_IMAGE_PULL_POLICY") or ""
    if policy and policy not in _PULL_POLICIES:
        raise StartError(f"BOARDROOM_IMAGE_PULL_POLICY={policy!r}: give one of {', '.join(_PULL_POLICIES)}")
    if name := env.get("BOARDROOM_IMAGE"):
        return Image(name=name, pull_policy=policy or "IfNotPresent")
    pod_name, namespace = env.get("POD_NAME"), env.get("POD_NAMESPACE")
    if not pod_name or not namespace:
        raise StartError(
            "BOARDROOM_IMAGE is not set: give the image of the operator's own version, which coordinators run from; "
            "inside a cluster POD_NAME and POD_NAMESPACE (downward API) do as well"
        )
    pod = await kube.get(POD, namespace, pod_name)
    containers = pod["spec"]["containers"] if pod else []
    own = next((c for c in containers if c["name"] == _CONTAINER), None)
    if own is None:
        raise StartError(f"pod {namespace}/{pod_name} has no container {_CONTAINER!r}: set BOARDROOM_IMAGE")
    return Image(name=own["image"], pull_policy=policy or own["imagePullPolicy"])
