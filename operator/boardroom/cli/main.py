"""`boardroom` and `kubectl-boardroom`. Each command imports only the package that it runs."""

import importlib
from typing import ClassVar

import click

from boardroom import __version__


class Commands(click.Group):
    """A group that imports a command when it is called, so that `boardroom ask` does not import Kopf."""

    modules: ClassVar[dict[str, str]] = {
        "adapters": "boardroom.cli.adapters",
        "agents": "boardroom.cli.board",
        "ask": "boardroom.cli.board",
        "cluster": "boardroom.cli.cluster",
        "coordinator": "boardroom.cli.coordinator",
        "crds": "boardroom.cli.crds",
        "demo": "boardroom.cli.demo",
        "operator": "boardroom.cli.operator",
        "serve": "boardroom.cli.serve",
        "simulate": "boardroom.cli.simulate",
        "status": "boardroom.cli.board",
    }
    names: ClassVar[tuple[str, ...]] = tuple(sorted(modules))

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(self.names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (click's)
        if cmd_name not in self.names:
            return None
        command = getattr(importlib.import_module(self.modules[cmd_name]), cmd_name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.modules[cmd_name]}.{cmd_name} is not a command")
        return command


class PluginCommands(Commands):
    """The commands of `kubectl boardroom`."""

    names: ClassVar[tuple[str, ...]] = ("adapters", "agents", "ask", "status")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="boardroom")
def main() -> None:
    """Boards of LoRA agents on one shared GPU, on Kubernetes."""


@click.group(cls=PluginCommands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="kubectl-boardroom")
def kubectl() -> None:
    """Ask a board, show it and push adapters to its volume: a kubectl plugin."""
