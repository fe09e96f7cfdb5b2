"""`boardroom serve`: a board from YAML as local processes, without a cluster."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Never

import click

from boardroom.adapters import read
from boardroom.adapters.engine_rules import engine_rules
from boardroom.adapters.synthetic import Shape, make_one
from boardroom.api.manifest import ManifestError
from boardroom.api.membership import unknown_board
from boardroom.api.resources import BoardAgent, Boardroom
from boardroom.api.settings import Defaults, SettingsError, effective
from boardroom.cli.processes import Processes, free_port, require_free, scratch, wait_ready
from boardroom.controller.plan.launcher import launcher_args
from boardroom.coordinator.board.files import BoardFiles

STARTUP_TIMEOUT = 30.0
"""Seconds within which each local process must answer."""
_FILE = (
    "YAML or JSON with a Boardroom and its BoardAgents, for example manifests/examples/executive-board.yaml; or a "
    "directory of such files; or - for standard input, as from `kubectl get boardrooms,boardagents -o yaml`."
)
_ADAPTERS = "Directory in place of spec.adapters.mountPath, with each member's adapter at its spec.adapter.path."


@click.command(short_help="Serve a board from YAML, without a cluster.")
@click.option("-f", "--file", type=click.Path(exists=True, allow_dash=True, path_type=Path), required=True, help=_FILE)
@click.option("--board", "name", help="Name of the Boardroom. Required if the file holds several.")
@click.option("--lorax-url", help="URL of a running LoRAX. Unset: a simulated LoRAX (no GPU).")
@click.option("--adapters", type=click.Path(exists=True, file_okay=False, path_type=Path), help=_ADAPTERS)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of the coordinator.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port of the coordinator. 0: a free one.",
)
@click.option(
    "--api-keys",
    envvar="BOARDROOM_API_KEYS_FILE",
    type=click.Path(exists=True, path_type=Path),
    help="File with API keys, one per line; callers must send one. Unset: everyone who reaches --host may ask.",
)
@click.argument("command", nargs=-1)
def serve(
    *,
    file: Path,
    name: str | None,
    lorax_url: str | None,
    adapters: Path | None,
    host: str,
    port: int,
    api_keys: Path | None,
    command: tuple[str, ...],
) -> None:
    """Serve the board of a YAML file: a coordinator, an adapters service and, without --lorax-url, a simulated LoRAX.
    Without --adapters small adapters are generated.

    COMMAND after `--` runs once the board is ready, with BOARDROOM_URL set. Everything ends with it.
    """
    if command and shutil.which(command[0]) is None:
        raise click.UsageError(f"{command[0]}: no such program")
    require_free(host, port)
    signal.signal(signal.SIGTERM, _interrupt)
    with Processes() as processes:
        place = _place(processes, file)
        board, agents, defaults = _read(place, name)
        root = adapters.absolute() if adapters else processes.enter_context(scratch())
        if adapters is None:
            _make_adapters(root, board, agents)
        readable = _readable(root, board, agents)
        store = processes.enter_context(scratch())
        adapters_url = _adapters_service(processes, root, store)
        if lorax_url is None and effective(board.spec, defaults).enabled:
            lorax_url = _simulated_lorax(processes, board, readable, defaults)
        port = port or free_port()
        args = ["--file", str(place), "--board", board.metadata.name, "--host", host, "--port", str(port)]
        args += ["--adapters-url", adapters_url, "--adapters-root", str(root)]
        args += ["--lorax-url", lorax_url] if lorax_url else []
        args += ["--auth", "ApiKey", "--api-keys", str(api_keys)] if api_keys else []
        _coordinator(processes, [*args, *_spec_flags(board)])
        url = f"http://{host}:{port}"
        click.echo(f"board {board.metadata.name!r} answers at {url}", err=True)
        if command:
            sys.exit(subprocess.run(command, env=os.environ | {"BOARDROOM_URL": url}, check=False).returncode)
        click.echo(f'  export BOARDROOM_URL={url}\n  boardroom ask {board.metadata.name} "..."', err=True)
        processes.watch()


def _place(processes: Processes, file: Path) -> Path:
    """The path from which the board is read repeatedly. Standard input is saved to a file."""
    if str(file) != "-":
        return file
    kept = processes.enter_context(scratch()) / "stdin.yaml"
    kept.write_bytes(sys.stdin.buffer.read())
    return kept


def _read(place: Path, name: str | None) -> tuple[Boardroom, list[BoardAgent], Defaults]:
    """The board, its agents and the operator's defaults. Prints agents of a board that the file does not have."""
    try:
        board, agents = BoardFiles(place).read(name)
        defaults = Defaults.from_env(os.environ)
    except (ManifestError, SettingsError, OSError) as error:
        raise click.ClickException(str(error)) from error
    for agent in agents:
        if (other := agent.spec.boardroom_ref.name) != board.metadata.name:
            verdict = unknown_board(other, board.metadata.namespace)
            click.echo(f"{agent.metadata.name} will be absent: {verdict.reason}: {verdict.message}", err=True)
    return board, agents, defaults


def _spec_flags(board: Boardroom) -> list[str]:
    """The coordinator's flags for servers and origins in the board's spec."""
    standard, redis = board.spec.standard_inference, board.spec.coordinator.conversations.redis
    flags = ["--standard-url", standard.url, "--standard-model", standard.model] if standard else []
    flags += ["--redis-url", redis.url] if redis else []
    return flags + [f"--cors-origin={origin}" for origin in board.spec.coordinator.cors.allow_origins]


def _interrupt(*_: object) -> Never:
    raise KeyboardInterrupt


def _adapter_paths(root: Path, board: Boardroom, agents: list[BoardAgent]) -> list[tuple[BoardAgent, Path]]:
    """The board's members with an adapter, and its directory."""
    own = [agent for agent in agents if agent.spec.boardroom_ref.name == board.metadata.name]
    return [(agent, root / path) for agent in own if (path := agent.spec.adapter_path) is not None]


def _make_adapters(root: Path, board: Boardroom, agents: list[BoardAgent]) -> None:
    """Write small adapters into the members' directories, of a rank that LoRAX takes on the board's GPUs."""
    rank = engine_rules().least_rank_per_shard * board.spec.lorax.shard_count
    shape = Shape(base_model=board.spec.model.id, rank=rank)
    for agent, path in _adapter_paths(root, board, agents):
        make_one(path, agent.spec.role, shape)


def _readable(root: Path, board: Boardroom, agents: list[BoardAgent]) -> list[str]:
    """The valid adapters of members. Prints each other one with its reason: its member will be absent."""
    readable = []
    for agent, path in _adapter_paths(root, board, agents):
        problem = read(path).problem
        if problem is None:
            readable.append(str(path))
        else:
            click.echo(f"{agent.metadata.name} will be absent: {problem.reason}: {problem.message}", err=True)
    return sorted(set(readable))


def _adapters_service(processes: Processes, root: Path, store: Path) -> str:
    port = free_port()
    where = ("--root", str(root), "--store", str(store), "--host", "127.0.0.1", "--port", str(port))
    process = processes.start("boardroom", "adapters", "serve", *where)
    return wait_ready(process, f"http://127.0.0.1:{port}", "/healthz", STARTUP_TIMEOUT)


def _simulated_lorax(processes: Processes, board: Boardroom, readable: list[str], defaults: Defaults) -> str:
    """The launcher with the flags that the controller would give it, except host and port."""
    port = free_port()
    settings = effective(board.spec, defaults).model_copy(update={"port": port})
    preloaded = readable if board.spec.lorax.preloads else []
    args = launcher_args(board.spec, settings, hostname="127.0.0.1", preloaded=preloaded)
    click.echo("no GPU here: simulated LoRAX", err=True)
    process = processes.start("lorax-launcher", *args)
    return wait_ready(process, f"http://127.0.0.1:{port}", "/health", STARTUP_TIMEOUT)


def _coordinator(processes: Processes, args: list[str]) -> None:
    metrics_port = free_port()
    process = processes.start("boardroom", "coordinator", *args, "--metrics-port", str(metrics_port))
    wait_ready(process, f"http://127.0.0.1:{metrics_port}", "/readyz", STARTUP_TIMEOUT)
