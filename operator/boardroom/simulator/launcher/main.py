"""The command `lorax-launcher`, LoRAX's own name, so that the same pod runs with and without a GPU."""

import sys
from typing import Any

import click

from boardroom.simulator.launcher.flags import launcher_options, parse, simulate_options
from boardroom.simulator.launcher.options import SectionCommand
from boardroom.simulator.launcher.server import run
from boardroom.simulator.settings import SettingsError

_HELP = """A LoRAX server without a GPU, which LoRAX's clients can't distinguish from a real one.

The simulator serves LoRAX's routes with LoRAX's headers, errors, streams and metrics, batches continuously, loads and
evicts adapters as LoRAX does, has the same hazards, and takes the time that a GPU would take. Adapters are real
directories, which are read and checked; only the text is generated without a model, and says so.

\b
    boardroom adapters make /tmp/models --roles ceo,cfo
    {name} --adapter-source local
    curl localhost:{port}/generate -H 'content-type: application/json' \\
      -d '{{"inputs": "Analyze Q2", "parameters": {{"max_new_tokens": 80,
           "adapter_id": "/tmp/models/cfo_lora_adapter"}}}}'

Routes of its own show what it does: GET /simulator/steps, /simulator/state and /simulator/usage (GPU-seconds). POST,
GET and DELETE /simulator/faults inject faults. Every flag is also an environment variable.
"""
_SHORT = "Run a LoRAX server without a GPU."
_EPILOG = "Flags of LoRAX's launcher that only matter on a GPU are accepted and change nothing."
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def _serve(**values: Any) -> None:
    try:
        launch = parse(values)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(run(launch))


launcher = SectionCommand(
    "lorax-launcher",
    params=launcher_options(),
    callback=_serve,
    help=_HELP.format(name="lorax-launcher", port=3000),
    short_help=_SHORT,
    epilog=_EPILOG,
    context_settings=_CONTEXT,
)
simulate = SectionCommand(
    "simulate",
    params=simulate_options(),
    callback=_serve,
    help=_HELP.format(name="boardroom simulate", port=8080),
    short_help=_SHORT,
    epilog=_EPILOG,
    context_settings=_CONTEXT,
)


def main() -> None:
    """The console script."""
    launcher()
