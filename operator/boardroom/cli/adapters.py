"""`boardroom adapters`: make, check, push and serve LoRA adapters."""

import re
import sys
from pathlib import Path

import click

from boardroom.adapters import NamedAdapter, Scanner, read


class _Adapters(click.Group):
    """Imports `push` only when it is called: the sidecar runs `serve` and needs no code about boards."""

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


@adapters.command(short_help="Serve the list of a volume's adapters: the sidecar.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    default="/models",
    show_default=True,
    help="Mount path of the adapters volume.",
)
@click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory for adapters from hubs and buckets. Unset: none are fetched.",
)
@click.option("--store-limit", default="20Gi", show_default=True, help="Most bytes of --store.")
@click.option(
    "--credentials",
    type=click.Path(path_type=Path, file_okay=False),
    help="A directory with a file for each of HF_TOKEN, AWS_ACCESS_KEY_ID, ... Each attempt reads it again.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 in a pod.")
@click.option("--port", type=click.IntRange(0, 65535), default=8082, show_default=True, help="Port to listen on.")
def serve(*, root: Path, store: Path | None, store_limit: str, credentials: Path | None, host: str, port: int) -> None:
    """List the adapters below --root, and fetch requested adapters into --store: GET /v1/adapters, PUT /v1/sources,
    GET /healthz.

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
@click.option("--max-bytes", type=click.IntRange(min=1), required=True, help="Largest size of one adapter.")
@click.option(
    "--idle-seconds", type=click.FloatRange(min=1), required=True, help="End after so many seconds without a request."
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on. Port-forwards arrive at 127.0.0.1."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8083, show_default=True, help="Port to listen on.")
def receive(*, root: Path, max_bytes: int, idle_seconds: float, host: str, port: int) -> None:
    """Receive adapters below --root: the program of the Job that `push` creates."""
    import asyncio

    from boardroom.adapters import receiver as loader
    from boardroom.adapters.uploads import UploadError
    from boardroom.telemetry.logs import configure

    configure("info")
    try:
        finished = asyncio.run(loader.serve(root, limit=max_bytes, idle_seconds=idle_seconds, host=host, port=port))
    except (UploadError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if not finished:
        raise click.ClickException(
            f"no request for {idle_seconds:.0f} s: push again, and the upload continues from here"
        )


@adapters.command(short_help="Write small real adapters for trials.")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--roles", required=True, help="Roles, separated by commas: ceo,cfo,coo.")
@click.option(
    "--base-model",
    default="mistralai/Mistral-7B-Instruct-v0.1",
    show_default=True,
    help="Base model that the adapters name.",
)
@click.option("--rank", type=click.IntRange(1, 512), default=8, show_default=True, help="LoRA rank.")
@click.option("--layers", type=click.IntRange(1, 256), default=2, show_default=True, help="Layers of the model.")
@click.option("--hidden", type=click.IntRange(4, 32768), default=64, show_default=True, help="Width of the model.")
def make(*, directory: Path, roles: str, base_model: str, rank: int, layers: int, hidden: int) -> None:
    """Write small real LoRA adapters into DIRECTORY, one `{role}_lora_adapter` per role.

    The weights are deterministic, differ by role and are untrained: they test serving, not answers.
    """
    from boardroom.adapters.engine_rules import engine_rules
    from boardroom.adapters.synthetic import Shape
    from boardroom.adapters.synthetic import make as make_adapters

    names = [role.strip() for role in roles.split(",")]
    for name in names:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,62}", name):
            raise click.BadParameter(
                f"{name!r} is not a role: give a letter, then letters, digits, _ or -", param_hint="--roles"
            )
    if problem := engine_rules().rank_problem(rank):
        raise click.BadParameter(problem, param_hint="--rank")
    shape = Shape(base_model=base_model, rank=rank, layers=layers, hidden=hidden)
    try:
        results = make_adapters(directory, names, shape)
    except OSError as error:
        raise click.ClickException(str(error)) from error
    for path, written in results:
        click.echo(f"{path}\t{'written' if written else 'unchanged'}")


@adapters.command(short_help="Check adapters as a board does.")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False, exists=True))
def check(directory: Path) -> None:
    """Print the adapters in DIRECTORY (one adapter, or a folder of them). Exit status 1 if one has a problem."""
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
