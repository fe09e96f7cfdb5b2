"""`lorax-launcher`: the name that LoRAX's image runs, so that the same pod runs with and without a GPU."""

import sys
from typing import Any

import click

from boardroom.simulator.flags import SectionCommand, launcher_options, parse, simulate_options
from boardroom.simulator.server import run
from boardroom.simulator.settings import SettingsError

_HELP = """A simulated LoRAX server: LoRAX's HTTP, metrics and scheduling of adapters, with a cost model for the GPU.

Takes every flag and environment variable of LoRAX's launcher. Adapters are real: absolute directories with
adapter_config.json and safetensors are read and checked as LoRAX does. Answers are written by rule from prompt,
adapter and parameters, and say that they are simulated.
"""
_EPILOG = "Flags of LoRAX's launcher that only a GPU gives a meaning are taken and change nothing."
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def _serve(**values: Any) -> None:
    try:
        launch = parse(values)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(run(launch))


launcher = SectionCommand(
    "lorax-launcher", params=launcher_options(), callback=_serve, help=_HELP, epilog=_EPILOG, context_settings=_CONTEXT
)
simulate = SectionCommand(
    "simulate", params=simulate_options(), callback=_serve, help=_HELP, epilog=_EPILOG, context_settings=_CONTEXT
)


def main() -> None:
    """The console script."""
    launcher()
