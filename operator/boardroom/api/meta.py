"""Names that several packages share: the API group, labels, field managers, object names, ports."""

from typing import Any, Final

GROUP: Final = "boardroom.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

BOARDROOM: Final = "Boardroom"
BOARDROOMS: Final = "boardrooms"
ASK: Final = "ask"
"""The RBAC subresource whose verb `create` permits asking a board. The API server serves no such subresource."""
AUDIENCE: Final = "boardroom"
"""The audience of tokens for a coordinator. Such a token is valid nowhere else."""
AUTH_ROLE: Final = "boardroom-coordinator-auth"
"""The ClusterRole that lets coordinators create TokenReviews."""
BOARDAGENT: Final = "BoardAgent"
BOARDAGENTS: Final = "boardagents"

OPERATOR_MANAGER: Final = "boardroom-operator"
"""Field manager of all objects that the controller applies."""
COORDINATOR_MANAGER: Final = "boardroom-coordinator"
"""Field manager of a coordinator's observations: status.lorax, adapters' files, LatencyHigh."""
CLAIM_MANAGER: Final = "boardroom-operator-claim"
"""Field manager of status.operator: which operator reconciles a board."""
STANDBY_MANAGER: Final = "boardroom-operator-standby"
"""Field manager of the condition OperatorConflict, written by operators that leave a board to another one."""
OPERATOR_ANNOTATION: Final = f"{GROUP}/operator"
"""Annotation that assigns a board to an operator. Its value is the namespace of the operator's Lease."""

MANAGED_BY: Final = "boardroom-operator"
BOARD_LABEL: Final = f"{GROUP}/board"
NAMESPACE_LABEL: Final = f"{GROUP}/board-namespace"
"""Namespace of the board that a cluster-scoped object belongs to."""

LORAX_PORT: Final = 8080
ADAPTERS_PORT: Final = 8082
LOADER_PORT: Final = 8083
COORDINATOR_PORT: Final = 8000
COORDINATOR_METRICS_PORT: Final = 9090
OPERATOR_METRICS_PORT: Final = 9090
OPERATOR_HEALTH_PORT: Final = 8081

DOWNLOADS_PATH: Final = "/adapters"
"""The LoRAX pod's directory for adapters that its sidecar fetches."""

STANDARD_API_KEY: Final = "BOARDROOM_STANDARD_API_KEY"
"""Environment variable of a coordinator: the API key of standard inference."""
REDIS_PASSWORD: Final = "BOARDROOM_REDIS_PASSWORD"  # noqa: S105 (its name, not its value)
REDIS_CA: Final = "BOARDROOM_REDIS_CA"
"""Environment variables of a coordinator: the password of its Redis, and the CA certificates (PEM) that it trusts."""


def lorax_name(board: str) -> str:
    """The LoRAX Deployment and Service of a board."""
    return f"{board}-lorax"


def coordinator_name(board: str) -> str:
    """The coordinator's Deployment, Service, ServiceAccount, Role and RoleBinding of a board."""
    return f"{board}-coordinator"


def auth_binding_name(namespace: str, board: str) -> str:
    """The ClusterRoleBinding that lets a board's coordinator have tokens reviewed."""
    return f"boardroom:{namespace}:{board}"


def api_keys_name(board: str) -> str:
    """The default Secret of API keys, for a board whose operator can't have tokens reviewed."""
    return f"{board}-api-keys"


def client_name(board: str) -> str:
    """The ServiceAccount, Role and RoleBinding that the CLI uses to ask a board."""
    return f"{board}-client"


def model_cache_name(board: str) -> str:
    """The claim that holds a board's model weights when the operator makes it."""
    return f"{board}-model-cache"


def labels(board: str, component: str) -> dict[str, str]:
    """Labels of an owned object, made from scratch: a CR's own never travel (Argo CD would prune the children)."""
    return {
        **selector(board, component),
        "app.kubernetes.io/part-of": "boardroom",
        "app.kubernetes.io/managed-by": MANAGED_BY,
    }


def selector(board: str, component: str) -> dict[str, str]:
    """The labels that select the pods of a board's Deployment or Service."""
    return {
        "app.kubernetes.io/name": "boardroom",
        "app.kubernetes.io/instance": board,
        "app.kubernetes.io/component": component,
        BOARD_LABEL: board,
    }


def owner_reference(kind: str, metadata: dict[str, Any]) -> dict[str, Any]:
    """A controller reference, which lets garbage collection delete the object after its owner."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
