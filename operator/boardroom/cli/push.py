"""`boardroom adapters push`: copy adapters from this machine to a board's volume, through a Job in the cluster."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import click
from pydantic import ValidationError

from boardroom.adapters import NamedAdapter, read
from boardroom.adapters import compatibility as fitness
from boardroom.adapters.files import CONFIG, is_adapter_file
from boardroom.adapters.protocol import AdapterFiles
from boardroom.adapters.scan import Scanner
from boardroom.api.adapter import ADAPTER_PATH, ADAPTER_PATH_IN_WORDS, MAX_ADAPTER_PATH
from boardroom.api.meta import coordinator_name
from boardroom.api.model import problems
from boardroom.api.resources import Boardroom
from boardroom.api.settings import Defaults
from boardroom.cli import render
from boardroom.cli.kubectl import Kubectl
from boardroom.cli.target import cluster_options
from boardroom.cli.upload import Result, Transfers, loading
from boardroom.controller.plan import coordinator, loader
from boardroom.controller.plan.blueprint import Blueprint, Image


@click.command(short_help="Copy adapters to a board's volume.")
@click.argument("board")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--name", help="Path of a single adapter below the mount, for example ceo/2. Default: its folder's name.")
@click.option("--dry-run", is_flag=True, help="Check, and print what would be sent. Create nothing in the cluster.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=180.0,
    show_default=True,
    help="Seconds that the loader's pod may take to start.",
)
@cluster_options
def push(*, board: str, directory: Path, name: str | None, dry_run: bool, timeout: float, kubectl: Kubectl) -> None:
    """Copy the adapters in DIRECTORY (one adapter, or a folder of them) to the adapters volume of BOARD.

    The board's own checks run first, and nothing is sent if an adapter fails one. A Job with the operator's image
    mounts the volume and receives the adapters through a port-forward. An adapter appears whole or not at all. A second
    run sends only missing files. An adapter of the same name with other weights is never overwritten.
    """
    named = _named(directory, name)
    live = _board(kubectl, board)
    adapters = _fit(named, live)
    blueprint = Blueprint(board=live, defaults=Defaults(), image=Image(name=""))
    if not loader.has_volume(blueprint):
        raise click.ClickException(
            f"Boardroom {board}: spec.adapters.volume names no volume: set "
            "spec.adapters.volume.persistentVolumeClaim.claimName to a claim of its namespace"
        )
    if dry_run:
        _show([(item, "would be sent") for item in adapters])
        return
    blueprint = Blueprint(board=live, defaults=Defaults(), image=_image(kubectl, board))
    job = loader.job(blueprint, beside_lorax=_lorax_runs(kubectl, board))
    with loading(kubectl, job, timeout) as transfers:
        results = [(item, _sent(transfers, item)) for item in adapters]
    _show([(item, result.text) for item, result in results])
    if not all(result.good for _, result in results):
        raise click.ClickException("not all adapters are on the volume: fix the problems above and push again")


@dataclass(frozen=True)
class _Named:
    """An adapter of this machine, and its name on the volume."""

    name: str
    found: NamedAdapter


def _board(kubectl: Kubectl, board: str) -> Boardroom:
    live = kubectl.board(board)
    try:
        return Boardroom.model_validate(live)
    except ValidationError as error:
        raise click.ClickException(f"Boardroom {board} can't be read: {problems(error)}") from error


def _named(directory: Path, name: str | None) -> list[_Named]:
    """The adapters in a directory with their names. Raises UsageError."""
    single = (directory / CONFIG).exists() or any(directory.glob("*.safetensors"))
    if single:
        found = NamedAdapter(".", read(directory.resolve(), root=directory.resolve()))
        named = [_Named(name or directory.resolve().name, found)]
    elif name is not None:
        raise click.UsageError(f"--name goes with one adapter, and {directory} holds no {CONFIG}: push them one by one")
    else:
        named = [_Named(item.name, item) for item in Scanner(directory.resolve()).scan()]
    if not named:
        raise click.UsageError(f"{directory} holds neither {CONFIG} nor folders of adapters")
    for item in named:
        if len(item.name) > MAX_ADAPTER_PATH or re.fullmatch(ADAPTER_PATH, item.name) is None:
            raise click.UsageError(
                f"{item.name!r} can be no BoardAgent's spec.adapter.path ({ADAPTER_PATH_IN_WORDS}); rename the folder, "
                "or give --name"
            )
    return named


def _fit(named: list[_Named], board: Boardroom) -> list[_Named]:
    """The adapters if the board accepts all of them. Otherwise prints the problems and exits."""
    rules = fitness.AdapterPolicy.of(board.spec)
    refusals = [(item, _refusal(item.found, rules)) for item in named]
    if any(refusal for _, refusal in refusals):
        _show([(item, refusal or "fine, but not sent") for item, refusal in refusals])
        sys.exit(1)
    return named


def _refusal(found: NamedAdapter, rules: fitness.AdapterPolicy) -> str:
    adapter = found.adapter
    if adapter.problem is not None:
        return f"{adapter.problem.reason}: {adapter.problem.message}"
    odd = [path.name for path in adapter.path.glob("*.safetensors") if not is_adapter_file(path.name)]
    if odd:
        return f"{odd[0]!r} can't be sent: rename it, with letters, digits, '.', '_' and '-'"
    finding = fitness.check(
        AdapterFiles(
            digest=adapter.digest,
            rank=adapter.rank,
            base_model=adapter.base_model,
            modules=adapter.modules,
            size_bytes=adapter.size_bytes,
        ),
        rules,
    )
    return f"{finding.problem}: {finding.message}" if finding.problem else ""


def _image(kubectl: Kubectl, board: str) -> Image:
    """The operator's image, which the board's coordinator runs."""
    name = coordinator_name(board)
    pod = kubectl.get("deployment", name)["spec"]["template"]["spec"]
    found = next((c for c in pod["containers"] if c["name"] == coordinator.CONTAINER), None)
    if found is None:
        raise click.ClickException(
            f"Deployment {name} has no container {coordinator.CONTAINER}: the operator did not create it"
        )
    return Image(name=found["image"], pull_policy=found["imagePullPolicy"])


def _lorax_runs(kubectl: Kubectl, board: str) -> bool:
    """Whether a LoRAX pod has a node: a ReadWriteOnce claim is then usable on that node only."""
    selector = f"boardroom.dev/board={board},app.kubernetes.io/component=lorax"
    pods = kubectl.get("pods", None, "-l", selector)["items"]
    return any(
        pod["spec"].get("nodeName")
        and "deletionTimestamp" not in pod["metadata"]
        and pod["status"].get("phase") in ("Pending", "Running")
        for pod in pods
    )


def _sent(transfers: Transfers, item: _Named) -> Result:
    adapter = item.found.adapter
    assert adapter.digest is not None  # noqa: S101 (it has no problem)
    click.echo(f"{item.name}: {adapter.size_bytes / 1e6:.1f} MB", err=True)
    return transfers.send(item.name, adapter.digest, adapter.path)


def _show(results: list[tuple[_Named, str]]) -> None:
    rows = [
        (item.name, f"{item.found.adapter.size_bytes / 1000:.1f}kB", (item.found.adapter.digest or "-")[:19], result)
        for item, result in results
    ]
    click.echo(render.table(("NAME", "SIZE", "DIGEST", "RESULT"), rows))
