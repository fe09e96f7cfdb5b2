"""The kinds that controller and coordinator read and write, and their paths at the API server."""

from dataclasses import dataclass
from typing import Any, Final

from boardroom.api import meta

Object = dict[str, Any]
"""A Kubernetes object as JSON."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of object."""

    group: str
    version: str
    name: str
    plural: str

    @property
    def api_version(self) -> str:
        """`apiVersion` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """URL path of one object, or of the collection where `name` is None (of all namespaces without `namespace`)."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if namespace else ""
        parts = [part for part in (name, subresource) if part]
        return "/".join([f"{root}{scope}/{self.plural}", *parts])

    def __str__(self) -> str:
        return self.name


BOARDROOM: Final = Kind(group=meta.GROUP, version=meta.VERSION, name=meta.BOARDROOM, plural=meta.BOARDROOMS)
BOARDAGENT: Final = Kind(group=meta.GROUP, version=meta.VERSION, name=meta.BOARDAGENT, plural=meta.BOARDAGENTS)
DEPLOYMENT: Final = Kind(group="apps", version="v1", name="Deployment", plural="deployments")
SERVICE: Final = Kind(group="", version="v1", name="Service", plural="services")
SERVICE_ACCOUNT: Final = Kind(group="", version="v1", name="ServiceAccount", plural="serviceaccounts")
CLAIM: Final = Kind(group="", version="v1", name="PersistentVolumeClaim", plural="persistentvolumeclaims")
POD: Final = Kind(group="", version="v1", name="Pod", plural="pods")
ROLE: Final = Kind(group="rbac.authorization.k8s.io", version="v1", name="Role", plural="roles")
ROLE_BINDING: Final = Kind(group="rbac.authorization.k8s.io", version="v1", name="RoleBinding", plural="rolebindings")
CLUSTER_ROLE_BINDING: Final = Kind(
    group="rbac.authorization.k8s.io", version="v1", name="ClusterRoleBinding", plural="clusterrolebindings"
)
EVENT: Final = Kind(group="events.k8s.io", version="v1", name="Event", plural="events")
NETWORK_POLICY: Final = Kind(group="networking.k8s.io", version="v1", name="NetworkPolicy", plural="networkpolicies")
DISRUPTION_BUDGET: Final = Kind(group="policy", version="v1", name="PodDisruptionBudget", plural="poddisruptionbudgets")
JOB: Final = Kind(group="batch", version="v1", name="Job", plural="jobs")
CORE_EVENT: Final = Kind(group="", version="v1", name="Event", plural="events")
ENDPOINT_SLICE: Final = Kind(group="discovery.k8s.io", version="v1", name="EndpointSlice", plural="endpointslices")
TOKEN_REVIEW: Final = Kind(group="authentication.k8s.io", version="v1", name="TokenReview", plural="tokenreviews")
ACCESS_REVIEW: Final = Kind(
    group="authorization.k8s.io",
    version="v1",
    name="LocalSubjectAccessReview",
    plural="localsubjectaccessreviews",
)
LEASE: Final = Kind(group="coordination.k8s.io", version="v1", name="Lease", plural="leases")

CHILDREN: Final = (CLAIM, SERVICE_ACCOUNT, ROLE, ROLE_BINDING, NETWORK_POLICY, SERVICE, DISRUPTION_BUDGET, DEPLOYMENT)
"""The kinds of objects that a board owns, in the order in which they are applied: what a pod needs before the pod."""
CLUSTER_SCOPED: Final = (CLUSTER_ROLE_BINDING,)
"""Kinds that only an operator of all namespaces watches."""
LABELLED: Final = (*CHILDREN, POD, *CLUSTER_SCOPED)
"""Kinds that are watched by label: the cluster has many more objects of them than ours."""
WATCHED: Final = (BOARDROOM, BOARDAGENT, *LABELLED)

Key = tuple[str, str]
"""Namespace and name of a Boardroom, the key of a reconcile."""


def selector(kind: Kind) -> str:
    """The label selector by which a kind is listed and watched."""
    return meta.BOARD_LABEL if kind in LABELLED else ""


def key_of(obj: Object) -> Key:
    """An object's namespace and name."""
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def version_of(obj: Object) -> int:
    """An object's resource version as a number."""
    return version_number(obj["metadata"].get("resourceVersion", ""))


def version_number(resource_version: str) -> int:
    """A resource version as a number; those of one kind compare as such (KEP-5504). 0 if the text is no number."""
    return int(resource_version) if resource_version.isdigit() else 0


def controller_of(obj: Object) -> dict[str, Any] | None:
    """The owner reference of the object's controller, if it has one."""
    return next((o for o in obj["metadata"].get("ownerReferences") or () if o.get("controller")), None)


def owned_by(obj: Object, board: str, uid: str) -> bool:
    """Whether an object is that board's: the board controls it, or nobody does and it has our labels.

    An object without a controller was orphaned by its board's deletion, lost its owner by hand, or is a kept claim.
    """
    owner = controller_of(obj)
    if owner is not None:
        return bool(owner.get("uid") == uid)
    labels = obj["metadata"].get("labels") or {}
    return labels.get(meta.BOARD_LABEL) == board and labels.get("app.kubernetes.io/managed-by") == meta.MANAGED_BY


def boards_of(kind: Kind, obj: Object) -> frozenset[Key]:
    """The boards that an object concerns; a relabelled child concerns its owner and the board of its label."""
    labels = obj["metadata"].get("labels") or {}
    if kind in CLUSTER_SCOPED:
        key = (labels.get(meta.NAMESPACE_LABEL, ""), labels.get(meta.BOARD_LABEL, ""))
        return frozenset([key] if all(key) else [])
    namespace = obj["metadata"].get("namespace", "")
    if kind is BOARDROOM:
        names = {obj["metadata"]["name"]}
    elif kind is BOARDAGENT:
        names = {obj.get("spec", {}).get("boardroomRef", {}).get("name", "")}
    else:
        owner = controller_of(obj) or {}
        names = {labels.get(meta.BOARD_LABEL, "")}
        if owner.get("kind") == meta.BOARDROOM:
            names.add(owner["name"])
    return frozenset((namespace, name) for name in names if name)
