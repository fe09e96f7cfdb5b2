"""`python -m bench`: measure, and write bench/results and docs/performance.md."""

import sys
from collections.abc import Callable
from typing import Any

import click

from bench import ROOT, attribution, board_curve, churn, machine, overhead, report, scale
from bench.ratios import ratios

Measure = Callable[[], dict[str, Any]]


@click.group()
def bench() -> None:
    """Ratios are the result: everything that is compared is measured side by side in one run."""


def _kept(name: str, measure: Measure) -> None:
    """Measure and keep, with where and how."""
    click.echo(f"measuring {name}", err=True)
    where = machine.describe()
    report.save(name, {"machine": where, "command": f"python -m bench {name}"} | measure())


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


@bench.command(name="churn")
def churn_() -> None:
    """Many adapters and few requests, through LoRAX alone and through the coordinator."""
    _kept("churn", churn.measure)


@bench.command(name="attribution")
def attribution_() -> None:
    """100,000 answers under faults, each compared with the weights that it names; fails if one is wrong."""
    _kept("attribution", attribution.measure)
    wrong = attribution.broken_promises(report.saved()["attribution"])
    if wrong:
        raise click.ClickException("; ".join(wrong))


@bench.command(name="scale")
@click.option("--boards", type=int, multiple=True, default=scale.SIZES, show_default=True)
def scale_(*, boards: tuple[int, ...]) -> None:
    """The operator over many boards; rows of other sizes stay as they were."""

    def measured() -> dict[str, Any]:
        found = scale.measure(boards)
        rows = report.saved().get("scale", {}).get("rows", []) + found["rows"]
        by_size = {row["boards"]: row for row in rows}
        return found | {"rows": [by_size[size] for size in sorted(by_size)]}

    _kept("scale", measured)


@bench.command(name="report")
def report_() -> None:
    """docs/performance.md and its plots, out of bench/results."""
    report.write()


@bench.command()
def quick() -> None:
    """The key ratios beside the committed ones, in under three minutes; nothing is written, and nothing fails."""
    now = ratios(
        {
            "overhead": overhead.measure(overhead.QUICK, None),
            "curve": board_curve.measure(quick=True),
            "churn": churn.measure(quick=True),
        }
    )
    committed = ratios(report.saved())
    width = max(map(len, now))
    click.echo(f"{'figure':{width}}  {'now':>8}  committed")
    for name, value in now.items():
        click.echo(f"{name:{width}}  {value:8g}  {committed.get(name, 'none'):>9}")


if __name__ == "__main__":
    sys.exit(bench())
