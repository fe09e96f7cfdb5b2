"""Click types: options under headings, and values that the help names by their meaning."""

from typing import Any

import click

from boardroom.simulator.faults import KINDS


class Number(click.ParamType[int | float]):
    """A number that isn't negative; the help names it by its unit."""

    def __init__(self, name: str, kind: type[int] | type[float], most: float = float("inf")) -> None:
        self.name = name
        self._kind = kind
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | float:
        try:
            number = self._kind(value)
        except ValueError:
            self.fail(f"{value!r} is not a number", param, ctx)
        if not 0 <= number <= self._most:
            self.fail(f"{value} is not in the range 0 to {self._most}", param, ctx)
        return number


class Text(click.ParamType[str]):
    """A text; the help names it by its meaning."""

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002 (click's signature)
        return str(value)


class SectionOption(click.Option):
    """An option under a heading of the help."""

    def __init__(self, *args: Any, section: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section


class SectionCommand(click.Command):
    """A command whose help groups its options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(param, "section", "Other"), []).append(record)
        for name, records in sections.items():
            with formatter.section(name):
                formatter.write_dl(records)
        with formatter.section("Faults, for --fault and POST /simulator/faults"):
            formatter.write_dl(list(KINDS.items()))
            formatter.write_paragraph()
            formatter.write_text(
                "Each takes adapter=PATTERN (which adapters), rate=0..1 and times=N, and the keys in its line. "
                "--fault latency:seconds=0.5,rate=0.1 makes every tenth request half a second late."
            )
