"""`boardroom adapters`: what lies on an adapters volume."""

import re
import sys
from pathlib import Path

import click

from boardroom.adapters import NamedAdapter, Scanner, read


class _Adapters(click.Group):
    """With `push`, which alone needs to know of boards: the sidecar, which runs `serve`, need not hold all that."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "push"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "push":
            from boardroom.cli.push import push

            return push
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Adapters)
def adapters() -> None:
    """Make, check, push and serve the LoRA adapters of a board."""


@adapters.command(short_help="Tell what lies on a volume: the sidecar.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    default="/models",
    show_default=True,
    help="Where the adapters volume is mounted.",
)
@click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where adapters from hubs and buckets are kept; without it none are fetched.",
)
@click.option("--store-limit", default="20Gi", show_default=True, help="What they may take together.")
@click.option(
    "--credentials",
    type=click.Path(path_type=Path, file_okay=False),
    help="A directory with a file for each of HF_TOKEN, AWS_ACCESS_KEY_ID, ...; read anew at each attempt.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 in a pod.")
@click.option("--port", type=click.IntRange(0, 65535), default=8082, show_default=True, help="Port to listen on.")
def serve(*, root: Path, store: Path | None, store_limit: str, credentials: Path | None, host: str, port: int) -> None:
    """Serve what lies below --root, read-only, and fetch into --store what is asked for: GET /v1/adapters,
    PUT /v1/sources, GET /healthz.

    Runs beside LoRAX, which has no route that lists its adapters.
    """
    import uvicorn

    from boardroom.adapters.fetcher import Fetcher
    from boardroom.adapters.server import application
    from boardroom.adapters.store import Store
    from boardroom.api.quantity import quantity_bytes
    from boardroom.telemetry.logs import configure

    configure("info")
    try:
        limit = quantity_bytes(store_limit)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--store-limit") from error
    fetcher = Fetcher(Store(store, limit), credentials) if store else None
    click.echo(f"adapters below {root} on http://{host}:{port}/v1/adapters", err=True)
    uvicorn.run(application(root, fetcher), host=host, port=port, log_config=None, access_log=False, lifespan="off")


@adapters.command(hidden=True)
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), required=True, help="The volume's mount.")
@click.option("--max-bytes", type=click.IntRange(min=1), required=True, help="Most that one adapter may weigh.")
@click.option("--idle-seconds", type=click.FloatRange(min=1), required=True, help="End after so long a silence.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; port-forwards come there.")
@click.option("--port", type=click.IntRange(0, 65535), default=8083, show_default=True, help="Port to listen on.")
def receive(*, root: Path, max_bytes: int, idle_seconds: float, host: str, port: int) -> None:
    """Take adapters in below --root: what runs in the Job that `push` makes."""
    import asyncio

    from boardroom.adapters import receiver as loader
    from boardroom.adapters.uploads import UploadError
    from boardroom.telemetry.logs import configure

    configure("info")
    try:
        done = asyncio.run(loader.serve(root, limit=max_bytes, idle_seconds=idle_seconds, host=host, port=port))
    except (UploadError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if not done:
        raise click.ClickException(f"nothing was heard for {idle_seconds:.0f} s: push again, and it goes on from here")


@adapters.command(short_help="Write small real adapters, to try with.")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--roles", required=True, help="Roles, separated by commas: ceo,cfo,coo.")
@click.option(
    "--base-model",
    default="mistralai/Mistral-7B-Instruct-v0.1",
    show_default=True,
    help="Base model that the adapters claim to be trained on.",
)
@click.option("--rank", type=click.IntRange(1, 512), default=8, show_default=True, help="LoRA rank.")
@click.option("--layers", type=click.IntRange(1, 256), default=2, show_default=True, help="Layers of the model.")
@click.option("--hidden", type=click.IntRange(4, 32768), default=64, show_default=True, help="Width of the model.")
def make(*, directory: Path, roles: str, base_model: str, rank: int, layers: int, hidden: int) -> None:
    """Write small real LoRA adapters into DIRECTORY, one `{role}_lora_adapter` per role.

    The weights are deterministic, differ by role and mean nothing: they show and test serving, not answering.
    """
    from boardroom.adapters.engine_rules import engine_rules
    from boardroom.adapters.synthetic import Shape
    from boardroom.adapters.synthetic import make as make_adapters

    names = [role.strip() for role in roles.split(",")]
    for name in names:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,62}", name):
            raise click.BadParameter(
                f"{name!r} is no role: a letter, then letters, digits, _ or -", param_hint="--roles"
            )
    if why := engine_rules().rank_problem(rank):
        raise click.BadParameter(why, param_hint="--rank")
    shape = Shape(base_model=base_model, rank=rank, layers=layers, hidden=hidden)
    try:
        made = make_adapters(directory, names, shape)
    except OSError as error:
        raise click.ClickException(str(error)) from error
    for path, written in made:
        click.echo(f"{path}\t{'written' if written else 'unchanged'}")


@adapters.command(short_help="Check adapters as a board does.")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False, exists=True))
def check(directory: Path) -> None:
    """Print the adapters in DIRECTORY (an adapter, or a folder of them); exit 1 if one has a problem."""
    from boardroom.cli import render

    found = Scanner(directory).scan()
    if (directory / "adapter_config.json").exists() or not found:
        found = [NamedAdapter(".", read(directory, root=directory.resolve()))]
    header = ("NAME", "RANK", "BASE MODEL", "SIZE", "DIGEST", "PROBLEM")
    click.echo(render.table(header, [_row(item) for item in found]))
    sys.exit(1 if any(item.adapter.problem for item in found) else 0)


def _row(item: NamedAdapter) -> tuple[str, ...]:
    adapter = item.adapter
    problem = f"{adapter.problem.reason}: {adapter.problem.message}" if adapter.problem else "none"
    return (
        item.name,
        str(adapter.rank or "-"),
        adapter.base_model or "-",
        f"{adapter.size_bytes / 1000:.1f}kB",
        (adapter.digest or "-")[:19],
        problem,
    )
