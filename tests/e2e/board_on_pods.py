"""One board on real pods, as its users handle it: YAML in through kubectl, questions through its Service."""

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from boardroom.cli.kubectl import Kubectl
from tools.waiting import until

ROOT = Path(__file__).parents[2]
QUESTION = "Analyze Q2 performance and recommend a strategy"
ROLES = ("CEO", "CFO", "COO", "CMO", "CTO")
MODEL = "mistralai/Mistral-7B-Instruct-v0.1"


@dataclass
class BoardOnPods:
    """A board `executive` in a namespace of its own, with a secret in LoRAX's answers that only the test knows."""

    kubectl: Kubectl
    name: str = "executive"
    salt: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def namespace(self) -> str:
        assert self.kubectl.namespace
        return self.kubectl.namespace

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl.run("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(objects))

    def get(self, kind: str, name: str) -> dict[str, Any]:
        return self.kubectl.get(kind, name)

    def names(self, kinds: str) -> list[str]:
        return self.kubectl.run("get", kinds, "-o", "name").split()

    def condition(self, type_: str, kind: str = "boardroom", name: str | None = None) -> dict[str, Any]:
        conditions = self.get(kind, name or self.name).get("status", {}).get("conditions", [])
        return next((c for c in conditions if c["type"] == type_), {"status": "Absent", "reason": "", "message": ""})

    def wait_ready(self, timeout: float = 180.0) -> None:
        generation = self.get("boardroom", self.name)["metadata"]["generation"]

        def ready() -> bool:
            status = self.get("boardroom", self.name).get("status", {})
            return status.get("observedGeneration") == generation and self.condition("Ready")["status"] == "True"

        until(f"{self.namespace}/{self.name} is Ready", ready, timeout)

    def wait_members(self, ready: str, timeout: float = 90.0) -> None:
        until(
            f"{ready} members are ready",
            lambda: self.get("boardroom", self.name).get("status", {}).get("agents") == ready,
            timeout,
        )

    def pods(self, component: str) -> list[dict[str, Any]]:
        selector = f"boardroom.dev/board={self.name},app.kubernetes.io/component={component}"
        items: list[dict[str, Any]] = self.kubectl.get("pods", None, "-l", selector)["items"]
        return [pod for pod in items if not pod["metadata"].get("deletionTimestamp")]

    def lorax_pod(self) -> tuple[str, int]:
        """uid and restarts of the one LoRAX pod: equal before and after means that it was never touched."""
        (pod,) = self.pods("lorax")
        return pod["metadata"]["uid"], sum(s["restartCount"] for s in pod["status"]["containerStatuses"])

    def token(self) -> str:
        """A token of the identity that the operator makes for people's commands."""
        return self.kubectl.run("create", "token", f"{self.name}-client", "--audience=boardroom").strip()

    @contextmanager
    def coordinator(self, pod: str | None = None, timeout: float = 60.0) -> Iterator[httpx.Client]:
        """Through the Service, or straight to the coordinator's pod of that name."""
        headers = {"authorization": f"Bearer {self.token()}"}
        target = f"service/{self.name}-coordinator" if pod is None else f"pod/{pod}"
        with (
            self.kubectl.port_forward(target, 8000) as url,
            httpx.Client(base_url=url, headers=headers, timeout=timeout) as client,
        ):
            yield client

    @contextmanager
    def lorax(self) -> Iterator[httpx.Client]:
        """Straight to the LoRAX pod, for the simulator's own routes; users never do this."""
        (pod,) = self.pods("lorax")
        with (
            self.kubectl.port_forward(f"pod/{pod['metadata']['name']}", 8080) as url,
            httpx.Client(base_url=url, timeout=60.0) as client,
        ):
            yield client

    def ask(self, **body: Any) -> httpx.Response:
        with self.coordinator() as client:
            return client.post("/v1/ask", json={"user_input": QUESTION} | body)


@contextmanager
def namespace(operator: BoardOnPods, name: str, pod_security: str = "baseline") -> Iterator[BoardOnPods]:
    """A namespace for a board that the test makes itself; both are removed in the end."""
    kube = operator.kubectl
    made = BoardOnPods(Kubectl(program=kube.program, kubeconfig=kube.kubeconfig, namespace=name))
    labels = {"pod-security.kubernetes.io/enforce": pod_security}
    made.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    yield made
    # The board first: a namespace with terminating pods is looked at again only after half their grace period.
    made.kubectl.run("delete", "boardagents,boardrooms", "--all", "--cascade=foreground")
    made.kubectl.run("delete", "namespace", name, "--timeout=120s")


def board(board_: BoardOnPods, **lorax: Any) -> dict[str, Any]:
    """The Boardroom object, with the salt in LoRAX's environment."""
    return {
        "apiVersion": "boardroom.dev/v1alpha1",
        "kind": "Boardroom",
        "metadata": {"name": board_.name, "namespace": board_.namespace},
        "spec": {
            "model": {"id": MODEL},
            "lorax": {"env": [{"name": "SIMULATOR_IDENTITY_SALT", "value": board_.salt}]} | lorax,
            "adapters": {"volume": {"persistentVolumeClaim": {"claimName": "board-adapters"}}},
        },
    }


def member(board_: BoardOnPods, role: str, **spec: Any) -> dict[str, Any]:
    """A BoardAgent named after its role."""
    return {
        "apiVersion": "boardroom.dev/v1alpha1",
        "kind": "BoardAgent",
        "metadata": {"name": role.lower(), "namespace": board_.namespace},
        "spec": {
            "boardroomRef": {"name": board_.name},
            "role": role,
            "systemPrompt": f"You are the {role}.",
            "generation": {"maxNewTokens": 48},
        }
        | spec,
    }


def adapters_claim(roles: tuple[str, ...]) -> list[dict[str, Any]]:
    """The demo's claim and the Job that fills it, for these roles."""
    text = (ROOT / "manifests/demo/adapters.yaml").read_text(encoding="utf-8")
    assert "ceo,cfo,coo,cmo,cto" in text
    return list(yaml.safe_load_all(text.replace("ceo,cfo,coo,cmo,cto", ",".join(roles).lower())))


def run(*command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, text=True, capture_output=True, check=False, cwd=ROOT, **options)
