"""docs/reference/reasons.md has an entry for every reason that the code can set, and for no other."""

import ast
import re
from pathlib import Path

from boardroom.api.conditions import COORDINATOR_NOT_READY, PREVIOUS

ROOT = Path(__file__).parents[3]
CODE = ROOT / "operator" / "boardroom"
SOURCES = [
    *sorted((CODE / "controller" / "status").glob("*.py")),
    *sorted((CODE / "controller" / "apply").glob("*.py")),
    *(CODE / "controller" / f"{name}.py" for name in ("ownership", "reconcile", "rollouts")),
    *(CODE / "coordinator" / "backends" / name for name in ("adapter_state.py", "adapter_failures.py")),
    CODE / "coordinator" / "status" / "conditions.py",
    CODE / "adapters" / "problem.py",
    CODE / "api" / "membership.py",
]
WORD = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)*")
NOT_OURS = {
    "Boardroom",
    "BoardAgent",
    "Volume",
    "Event",
    "Warning",
    "HighLatency",
    "Lorax",
    "LoraxHealth",
    "Coordinator",
    "Retain",
    "Unknown",
    "True",
    "False",
    "Reason",
    "ReplicaFailure",
    "Progressing",
    "ProgressDeadlineExceeded",
    "RollingUpdate",
    "RuntimeClass",
    "PodScheduled",
    "PodReadyToStartContainers",
    "ContainersReady",
    "ReadinessGatesNotReady",
    "ContainerCreating",
    "PodInitializing",
    "CrashLoopBackOff",
    "StartError",
    "ContainerCannotRun",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
    "Failed",
    "Preempted",
    "Preempting",
}
"""Words of Kubernetes and of objects, which the same files look for or write."""


def words(source: Path) -> set[str]:
    tree = ast.parse(source.read_text(encoding="utf-8"))
    constants = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return {text for text in constants if WORD.fullmatch(text)}


def test_every_reason_has_its_entry() -> None:
    page = (ROOT / "docs/reference/reasons.md").read_text(encoding="utf-8")
    entries = set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE))
    reasons = set().union(*(words(source) for source in SOURCES), {PREVIOUS, COORDINATOR_NOT_READY}) - NOT_OURS
    assert entries == reasons
