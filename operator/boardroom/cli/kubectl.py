"""Cluster access of the commands for people: through kubectl, so that every login that it knows works here too."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import click

from boardroom.cluster import build

_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


def _program() -> str:
    """The user's kubectl, or the one that `boardroom cluster` built."""
    return shutil.which("kubectl") or str(build.found("kubectl") or "kubectl")


@dataclass(frozen=True, kw_only=True)
class Kubectl:
    """kubectl with the flags of one call: which cluster, which namespace."""

    program: str = field(default_factory=_program)
    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None

    @property
    def _command(self) -> list[str]:
        flags = {"--namespace": self.namespace, "--context": self.context, "--kubeconfig": self.kubeconfig}
        return [self.program, *(f"{flag}={value}" for flag, value in flags.items() if value)]

    def run(self, *args: str, stdin: str | None = None) -> str:
        """Kubectl's standard output; its own words as a ClickException when it fails."""
        try:
            done = subprocess.run([*self._command, *args], input=stdin, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise click.ClickException(
                f"{self.program} not found: install kubectl, or give --url of a coordinator"
            ) from error
        if done.returncode != 0:
            raise click.ClickException(done.stderr.strip() or f"kubectl {args[0]} failed with {done.returncode}")
        return done.stdout

    def get(self, kind: str, name: str | None = None, *flags: str) -> dict[str, Any]:
        """One object, or a list of a kind."""
        found: dict[str, Any] = json.loads(self.run("get", kind, *([name] if name else []), *flags, "-o", "json"))
        return found

    @contextmanager
    def port_forward(self, target: str, port: int) -> Iterator[str]:
        """The URL of a free local port that leads to `target`, for as long as the block runs."""
        try:
            process = subprocess.Popen(
                [*self._command, "port-forward", target, f":{port}"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        except FileNotFoundError as error:
            raise click.ClickException(
                f"{self.program} not found: install kubectl, or give --url of a coordinator"
            ) from error
        with process:
            try:
                # kubectl writes this line once it listens, or closes the pipe when it gives up.
                line = process.stdout.readline() if process.stdout else ""
                match = _FORWARDING.search(line)
                if match is None:
                    process.terminate()
                    words = process.stderr.read().strip() if process.stderr else ""
                    raise click.ClickException(words or f"kubectl could not forward a port to {target}")
                yield f"http://127.0.0.1:{match[1]}"
            finally:
                process.terminate()
