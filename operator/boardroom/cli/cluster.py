"""`boardroom cluster`: a Kubernetes cluster for trials and tests."""

import dataclasses
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from boardroom.cluster import build, choice
from boardroom.cluster.daemon import DaemonError
from boardroom.cluster.debian import MissingProgramsError
from boardroom.cluster.host import HostError
from boardroom.cluster.programs import PROGRAMS
from boardroom.cluster.provider import ClusterError, Status
from boardroom.cluster.rest import RestError

_EXPECTED = (
    *(ClusterError, DaemonError, HostError, MissingProgramsError, build.BuildError, RestError),
    *(OSError, subprocess.SubprocessError),  # files, folders and programs of the machine
)


@click.group(short_help="A Kubernetes cluster for trials and tests.")
def cluster() -> None:
    """A Kubernetes cluster for trials and tests: yours by kubeconfig, else kind if Docker runs, else a native node."""


@cluster.command(short_help="Start a cluster if none runs.")
@click.option(
    "--provider",
    type=click.Choice(choice.PROVIDERS),
    default="auto",
    show_default=True,
    help="auto: kind if Docker runs, else native (Linux, root).",
)
@click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Use this cluster. It is checked, never changed.",
)
@click.option(
    "--gpus",
    type=click.IntRange(0, 1024),
    default=8,
    show_default=True,
    help="nvidia.com/gpu that the node advertises.",
)
def up(*, provider: str, kubeconfig: Path | None, gpus: int) -> None:
    """Start a cluster. A cluster that is up and healthy stays as it is.

    Without --provider and --kubeconfig: the cluster of the last `up`, until `down`.
    """
    with _reported():
        wanted = choice.wanted(provider, kubeconfig)
        wanted.up(gpus=gpus)
        choice.remember(wanted)


@cluster.command(short_help="Remove the kind cluster or the native node.")
def down() -> None:
    """Remove the kind cluster, or the native node; its logs stay. A cluster by --kubeconfig stays untouched."""
    with _reported():
        choice.current().down()
        choice.forget()


@cluster.command(short_help="Show the cluster, and whether it runs pods.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def status(ctx: click.Context, *, output: str) -> None:
    """Show the cluster. Exit status 0 if it runs pods, else 1."""
    with _reported():
        current = choice.current().status()
    click.echo(json.dumps(dataclasses.asdict(current)) if output == "json" else _as_text(current))
    ctx.exit(0 if current.healthy else 1)


@cluster.command()
def kubeconfig() -> None:
    """Print the path of the cluster's kubeconfig."""
    with _reported():
        click.echo(choice.current().kubeconfig())


@cluster.command(short_help="Load image archives, or our own image.")
@click.argument("images", nargs=-1, metavar="[IMAGE]...")
def load(*, images: tuple[str, ...]) -> None:
    """Load image archives into the cluster. Without any: localhost/boardroom-operator:dev, built if needed."""
    with _reported():
        choice.current().load(images)


@cluster.command(name="bin", short_help="Print the path of a program, for example kubectl.")
@click.argument("names", type=click.Choice(sorted(PROGRAMS)), metavar="[NAME]...", nargs=-1)
def bin_(*, names: tuple[str, ...]) -> None:
    """Print the path of each named program, for example kubectl, or of all. Missing programs are built first."""
    with _reported():
        folder = build.ensure(*(names or PROGRAMS))
        for name in names or PROGRAMS:
            click.echo(folder / name)


def _as_text(status: Status) -> str:
    state = "up" if status.healthy else "not healthy" if status.running else "not running"
    lines = [f"{status.provider}: {state}"]
    if status.version:
        lines.append(f"Kubernetes {status.version}, {status.gpus} nvidia.com/gpu")
    return "\n".join([*lines, *(f"- {problem}" for problem in status.problems)])


@contextmanager
def _reported() -> Iterator[None]:
    """Report errors that a user can fix as one message with exit status 1."""
    try:
        yield
    except _EXPECTED as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    cluster()
