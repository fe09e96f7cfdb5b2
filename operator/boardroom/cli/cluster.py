"""`boardroom cluster`: a Kubernetes to try and test on."""

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
    *(OSError, subprocess.SubprocessError),  # what the machine refuses: a file, a folder, a program
)


@click.group(short_help="A Kubernetes to try and test on.")
def cluster() -> None:
    """A Kubernetes to try and test on: yours by kubeconfig, kind where Docker answers, else a native node."""


@cluster.command(short_help="Bring one up, or leave it as it is.")
@click.option(
    "--provider",
    type=click.Choice(choice.PROVIDERS),
    default="auto",
    show_default=True,
    help="auto: kind where Docker answers, else native (Linux, root).",
)
@click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Use this cluster; it is checked, never changed.",
)
@click.option("--gpus", type=click.IntRange(0, 1024), default=8, show_default=True, help="nvidia.com/gpu to advertise.")
def up(*, provider: str, kubeconfig: Path | None, gpus: int) -> None:
    """Bring a cluster up; one that is up and healthy is left as it is.

    Without --provider and --kubeconfig it is the one of the last `up`, until its `down`.
    """
    with _said():
        wanted = choice.wanted(provider, kubeconfig)
        wanted.up(gpus=gpus)
        choice.remember(wanted)


@cluster.command(short_help="Remove it, and all that it left.")
def down() -> None:
    """Remove the kind cluster, or the native node and all that it left. A given cluster is left alone."""
    with _said():
        choice.current().down()
        choice.forget()


@cluster.command(short_help="Say what is there, and whether it takes pods.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def status(ctx: click.Context, *, output: str) -> None:
    """Say what is there; the exit status is 0 when the cluster takes pods, else 1."""
    with _said():
        seen = choice.current().status()
    click.echo(json.dumps(dataclasses.asdict(seen)) if output == "json" else _as_text(seen))
    ctx.exit(0 if seen.healthy else 1)


@cluster.command()
def kubeconfig() -> None:
    """Print the path of the cluster's kubeconfig."""
    with _said():
        click.echo(choice.current().kubeconfig())


@cluster.command(short_help="Load image archives into it, or our own image.")
@click.argument("images", nargs=-1, metavar="[IMAGE]...")
def load(*, images: tuple[str, ...]) -> None:
    """Load image archives into the cluster; without any, our own, localhost/boardroom-operator:dev, built if needed."""
    with _said():
        choice.current().load(images)


@cluster.command(name="bin", short_help="Print where a program is, such as kubectl.")
@click.argument("names", type=click.Choice(sorted(PROGRAMS)), metavar="[NAME]...", nargs=-1)
def bin_(*, names: tuple[str, ...]) -> None:
    """Print the path of each named program, such as kubectl, or of all, building first what is missing."""
    with _said():
        folder = build.ensure(*(names or PROGRAMS))
        for name in names or PROGRAMS:
            click.echo(folder / name)


def _as_text(seen: Status) -> str:
    state = "up" if seen.healthy else "not healthy" if seen.running else "not running"
    lines = [f"{seen.provider}: {state}"]
    if seen.version:
        lines.append(f"Kubernetes {seen.version}, {seen.gpus} nvidia.com/gpu")
    return "\n".join([*lines, *(f"- {problem}" for problem in seen.problems)])


@contextmanager
def _said() -> Iterator[None]:
    """Turn the errors that a user can mend into one message and exit status 1."""
    try:
        yield
    except _EXPECTED as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    cluster()
