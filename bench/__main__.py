"""`python -m bench`: measure, and write bench/results and docs/performance.md."""

import sys
from collections.abc import Callable
from typing import Any

import click

from bench import ROOT, board_curve, machine, overhead, report
from bench.ratios import ratios

Measure = Callable[[], dict[str, Any]]


@click.group()
def bench() -> None:
    """Ratios are the result: everything that is compared is measured side by side in one run."""


def _kept(name: str, measure: Measure) -> None:
    """Measure and keep, with where and how."""
    click.echo(f"measuring {name}", err=True)
    where = machine.describe()
    report.save(name, {"machine": where, "command": f"make bench (python -m bench {name})"} | measure())


def _overhead() -> dict[str, Any]:
    litellm = ROOT / ".venv-bench" / "bin" / "litellm"
    return overhead.measure(overhead.Effort(), litellm if litellm.exists() else None)


@bench.command(name="overhead")
def overhead_() -> None:
    """The coordinator beside Go and LiteLLM."""
    _kept("overhead", _overhead)


@bench.command()
@click.option("--seconds", default=600.0, show_default=True)
def soak(*, seconds: float) -> None:
    """Memory with 256 questions in flight."""
    _kept("soak", lambda: overhead.soak(seconds))


@bench.command()
def curve() -> None:
    """One question to boards of 1 to 32, on the simulator's GPU."""
    _kept("curve", board_curve.measure)


@bench.command(name="report")
def report_() -> None:
    """docs/performance.md and its plots, out of bench/results."""
    report.write()


@bench.command()
def quick() -> None:
    """The key ratios beside the committed ones, in under three minutes; nothing is written, and nothing fails."""
    now = ratios({"overhead": overhead.measure(overhead.QUICK, None), "curve": board_curve.measure(quick=True)})
    committed = ratios(report.saved())
    width = max(map(len, now))
    click.echo(f"{'figure':{width}}  {'now':>8}  committed")
    for name, value in now.items():
        click.echo(f"{name:{width}}  {value:8g}  {committed.get(name, 'none'):>9}")


if __name__ == "__main__":
    sys.exit(bench())
