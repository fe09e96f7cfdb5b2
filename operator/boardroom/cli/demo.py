"""`boardroom demo`: a whole board on a real Kubernetes, step by step (`make demo`)."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from boardroom.cli.kubectl import Kubectl

NAMESPACE = "boardroom-demo"
BOARD = "executive"
QUESTION = "Analyze Q2 performance and recommend a strategy"
_PROGRAM = str(Path(sys.executable).parent / "boardroom")


@click.command(short_help="A whole board on a real Kubernetes, without a GPU.")
@click.option("--keep", is_flag=True, help="Leave the cluster and the board running.")
@click.option(
    "--manifests",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("manifests"),
    show_default=True,
    help="The project's manifests.",
)
def demo(*, keep: bool, manifests: Path) -> None:
    """Start a Kubernetes node, install the operator, create a board of five, ask it, then add a broken sixth member.

    It needs no GPU: the node advertises simulated ones, and LoRAX is simulated. Run it from a clone of the project.
    """
    if not (manifests / "demo").is_dir():
        raise click.UsageError(
            f"{manifests} has no folder demo: run this in a clone of the project, or give --manifests"
        )
    began = time.monotonic()
    with _cluster(keep=keep) as kubectl:
        _say("the operator, from manifests/ (LoRAX is our own image: no GPU here, simulated LoRAX)")
        installed = kubectl.run("get", "deployments", "-A", "-l", "app.kubernetes.io/component=operator", "-o", "name")
        _kubectl(kubectl, "apply", "--server-side", "-k", str(manifests / "demo"), quiet=True)
        if installed:  # the image of the same name may have changed
            _kubectl(kubectl, "-n", "boardroom-system", "rollout", "restart", "deployment/boardroom-operator")
        _kubectl(
            kubectl, "-n", "boardroom-system", "rollout", "status", "deployment/boardroom-operator", "--timeout=180s"
        )
        _board(kubectl, manifests)
        _questions(kubectl, manifests)
        click.secho(f"\ndone in {time.monotonic() - began:.0f} s", bold=True)
        if keep:
            click.echo(f"the cluster keeps running. To use it:\n  export KUBECONFIG={kubectl.kubeconfig}")
            click.echo(f'  boardroom ask {BOARD} -n {NAMESPACE} "..."\n  boardroom cluster down')


def _board(kubectl: Kubectl, manifests: Path) -> None:
    _say("an adapters volume, filled with five small real adapters")
    namespace = f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n"
    # LoRAX's own image runs as root, so the namespace enforces Pod Security baseline.
    namespace += "  labels:\n    pod-security.kubernetes.io/enforce: baseline\n"
    kubectl.run("apply", "--server-side", "-f", "-", stdin=namespace)
    _kubectl(kubectl, "-n", NAMESPACE, "apply", "-f", str(manifests / "demo/adapters.yaml"))
    _kubectl(kubectl, "-n", NAMESPACE, "wait", "job/fill-board-adapters", "--for=condition=Complete", "--timeout=120s")
    _say("the board: one Boardroom, five BoardAgents")
    _kubectl(kubectl, "-n", NAMESPACE, "apply", "-f", str(manifests / "examples/executive-board.yaml"))
    _kubectl(kubectl, "-n", NAMESPACE, "wait", f"boardroom/{BOARD}", "--for=condition=Ready", "--timeout=180s")


def _questions(kubectl: Kubectl, manifests: Path) -> None:
    _say("one question, five attributed answers, one batch")
    _ask(kubectl)
    _say("the board's status in the cluster")
    measured = "--for=jsonpath={.status.lorax.metrics.averageLatencyMs}"
    _kubectl(kubectl, "-n", NAMESPACE, "wait", f"boardroom/{BOARD}", measured, "--timeout=60s")
    _kubectl(kubectl, "-n", NAMESPACE, "get", "boardrooms,boardagents")
    _kubectl(kubectl, "-n", NAMESPACE, "get", "boardroom", BOARD, "-o", "jsonpath-as-json={.status.lorax}")
    _say("a sixth member whose adapter files don't exist")
    _kubectl(kubectl, "-n", NAMESPACE, "apply", "-f", str(manifests / "demo/sixth-member.yaml"))
    _kubectl(kubectl, "-n", NAMESPACE, "wait", "boardagent/clo", "--for=condition=AdapterReady=False", "--timeout=60s")
    _ask(kubectl)
    _kubectl(kubectl, "-n", NAMESPACE, "get", "boardrooms,boardagents")


def _ask(kubectl: Kubectl) -> None:
    flags = ["--mode", "parallel", "-n", NAMESPACE, "--kubeconfig", str(kubectl.kubeconfig)]
    click.secho(f'$ boardroom ask {BOARD} "{QUESTION}" --mode parallel -n {NAMESPACE}', fg="green")
    _checked([_PROGRAM, "ask", BOARD, QUESTION, *flags])


@contextmanager
def _cluster(*, keep: bool) -> Iterator[Kubectl]:
    """A cluster with our image. A cluster that ran before keeps running, without its demo board."""
    ran_before = subprocess.run([_PROGRAM, "cluster", "status"], capture_output=True, check=False).returncode == 0
    _say("a Kubernetes node (the first time its programs are built from Go modules: about 10 minutes on 2 cores)")
    with ExitStack() as undo:
        if not keep and not ran_before:
            undo.callback(_checked, [_PROGRAM, "cluster", "down"])
        _checked([_PROGRAM, "cluster", "up"])
        _checked([_PROGRAM, "cluster", "load"])
        kubectl = Kubectl(program=_output("cluster", "bin", "kubectl"), kubeconfig=_output("cluster", "kubeconfig"))
        if ran_before:
            _remove_board(kubectl)  # of an earlier demo
        if not keep and ran_before:
            undo.callback(_remove_board, kubectl)
        yield kubectl


def _remove_board(kubectl: Kubectl) -> None:
    if kubectl.run("get", "namespace", NAMESPACE, "--ignore-not-found"):
        # The board first: the namespace controller retries after half the grace period of terminating pods.
        kubectl.run("-n", NAMESPACE, "delete", "boardagents,boardrooms", "--all", "--cascade=foreground")
        kubectl.run("delete", "namespace", NAMESPACE)


def _kubectl(kubectl: Kubectl, *args: str, quiet: bool = False) -> None:
    click.secho(f"$ kubectl {' '.join(args)}", fg="green")
    output = kubectl.run(*args)
    if not quiet:
        click.echo(output, nl=False)


def _output(*args: str) -> str:
    return subprocess.run([_PROGRAM, *args], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def _checked(command: list[str]) -> None:
    returncode = subprocess.run(command, check=False).returncode
    if returncode != 0:
        raise click.ClickException(f"`boardroom {' '.join(command[1:3])}` failed with {returncode}")


def _say(text: str) -> None:
    click.secho(f"\n== {text}", bold=True)
