"""Uploads of adapters to a loader Job through a port-forward, which is renewed when it breaks."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import click
import httpx

from boardroom.adapters.files import is_adapter_file
from boardroom.api.meta import LOADER_PORT
from boardroom.cli.kubectl import Kubectl
from boardroom.kube.kinds import Object

_ATTEMPTS: Final = 4
"""Attempts for one adapter. Files that have arrived are not sent again."""
_POLL_SECONDS: Final = 0.5
_CONNECT_SECONDS: Final = 60.0
_TIMEOUT: Final = httpx.Timeout(600.0, connect=10.0)  # the loader hashes an adapter before it answers
_CHUNK_BYTES: Final = 1 << 20
_HOPELESS: Final = frozenset({"ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError"})
"""Reasons of a waiting container that time does not fix."""


_ENDED: Final = frozenset({"Failed", "Succeeded"})
"""Phases of a pod that has ended."""


@dataclass(frozen=True)
class Result:
    """The result of one adapter's upload."""

    good: bool
    text: str


@contextmanager
def loading(kubectl: Kubectl, job: Object, timeout: float) -> Iterator["Transfers"]:
    """A loader that receives adapters inside the block. Its pod has `timeout` seconds to start."""
    name = kubectl.at_once("create", "-f", "-", "-o", "name", stdin=json.dumps(job)).strip()
    click.echo(f"{name} receives the adapters", err=True)
    finished = False
    try:
        transfers = Transfers(kubectl, _started(kubectl, name, timeout))
        with transfers:
            yield transfers
            finished = transfers.finish()
    finally:
        if not finished:  # else it keeps the volume until its idle timeout
            _delete(kubectl, name)


class Transfers:
    """Sends adapters to one pod."""

    def __init__(self, kubectl: Kubectl, pod: str) -> None:
        self._kubectl, self._pod = kubectl, pod
        self._stack = ExitStack()
        self._client: httpx.Client | None = None

    def __enter__(self) -> Self:
        self._connected()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def send(self, name: str, digest: str, directory: Path) -> Result:
        """Upload one adapter under its name. Files that have arrived before are not sent again."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._send(name, digest, directory)
            except httpx.TransportError as error:
                self._client = None
                if attempt == _ATTEMPTS:
                    return Result(good=False, text=f"not sent: the connection broke {attempt} times: {error!r}")
                click.echo(f"{name}: the connection broke ({error!r}); the upload continues", err=True)
            except (OSError, click.ClickException) as error:
                return Result(good=False, text=f"not sent: {error}")
        raise AssertionError  # the last attempt returns

    def finish(self) -> bool:
        """Tell the loader that no more follows. Returns whether it answered."""
        with suppress(httpx.TransportError, click.ClickException):
            return self._connected().post("/v1/done").is_success
        return False

    def _connected(self) -> httpx.Client:
        if self._client is None:
            self._client = self._connect()
        return self._client

    def _send(self, name: str, digest: str, directory: Path) -> Result:
        client = self._connected()
        listing = client.get(f"/v1/incoming/{digest}", params={"name": name})
        if listing.is_error:
            return _refusal(listing)
        known: dict[str, Any] = listing.json()
        if known["there"]:
            return Result(good=True, text="unchanged")
        for path in sorted(directory.iterdir()):
            size = path.stat().st_size
            if not is_adapter_file(path.name) or known["files"].get(path.name) == size:
                continue
            url, headers = f"/v1/incoming/{digest}/{path.name}", {"content-length": str(size)}
            with path.open("rb") as stream:
                stored = client.put(url, content=iter(lambda: stream.read(_CHUNK_BYTES), b""), headers=headers)
            if stored.is_error:
                return _refusal(stored)
        placed = client.post("/v1/adapters", json={"name": name, "digest": digest})
        if placed.is_error:
            return _refusal(placed)
        return Result(good=True, text="written" if placed.json()["written"] else "unchanged")

    def _connect(self) -> httpx.Client:
        """A new connection to the pod. kubectl ends a port-forward when the pod refuses, as it does while it starts."""
        deadline = time.monotonic() + _CONNECT_SECONDS
        while True:
            self._stack.close()
            with suppress(httpx.TransportError, click.ClickException):
                url = self._stack.enter_context(self._kubectl.port_forward(f"pod/{self._pod}", LOADER_PORT))
                client = self._stack.enter_context(httpx.Client(base_url=url, timeout=_TIMEOUT, trust_env=False))
                if client.get("/healthz", timeout=10.0).is_success:
                    return client
            if self._kubectl.get("pod", self._pod)["status"].get("phase") in _ENDED:
                raise click.ClickException(_last_words(self._kubectl, self._pod))
            if time.monotonic() > deadline:
                raise click.ClickException(
                    f"the loader in pod {self._pod} does not answer: {_log(self._kubectl, self._pod)}"
                )
            time.sleep(_POLL_SECONDS)


def _refusal(response: httpx.Response) -> Result:
    try:
        error = response.json()["error"]
        return Result(good=False, text=f"{error['code']}: {error['message']}")
    except (ValueError, KeyError, TypeError):
        return Result(good=False, text=f"HTTP {response.status_code}: {response.text[:500]}")


def _started(kubectl: Kubectl, job: str, timeout: float) -> str:
    """The name of the Job's pod once it runs. Raises ClickException with the reason if it does not."""
    deadline = time.monotonic() + timeout
    selector = f"batch.kubernetes.io/job-name={job.rpartition('/')[2]}"
    while True:
        pods = kubectl.get("pods", None, "-l", selector)["items"]
        pod = pods[0] if pods else None
        if pod is not None:
            name, phase = pod["metadata"]["name"], pod["status"].get("phase")
            if phase == "Running":
                return str(name)
            if phase in _ENDED:
                raise click.ClickException(_last_words(kubectl, name))
        late = time.monotonic() > deadline
        if late or (pod is not None and _waiting(pod).partition(":")[0] in _HOPELESS):
            raise click.ClickException(_obstacle(kubectl, job, pod, timeout))
        time.sleep(_POLL_SECONDS)


def _obstacle(kubectl: Kubectl, job: str, pod: Object | None, timeout: float) -> str:
    """Why the pod does not run: the container's reason, the scheduler's, and the last event."""
    subject = pod["metadata"]["name"] if pod is not None else job.rpartition("/")[2]
    selector = f"--field-selector=involvedObject.name={subject},type=Warning"
    events = kubectl.get("events", None, selector)["items"]
    newest = max(events, key=lambda e: e.get("lastTimestamp") or e.get("eventTime") or "", default=None)
    reasons = [_waiting(pod), _unscheduled(pod)] if pod is not None else []
    reasons.append(newest["message"] if newest else "")
    reason = "; ".join(dict.fromkeys(text for text in reasons if text))
    return (
        f"the loader ({subject}) does not start: {reason or 'the cluster gives no reason'}. It mounts the board's "
        f"adapters volume for writing, with the operator's image; --timeout gives it longer than {timeout:.0f} s"
    )


def _waiting(pod: Object) -> str:
    for status in pod["status"].get("containerStatuses") or ():
        waiting = status["state"].get("waiting")
        if waiting and waiting.get("reason") not in (None, "ContainerCreating"):
            return f"{waiting['reason']}: {waiting.get('message', '')}"
    return ""


def _unscheduled(pod: Object) -> str:
    conditions = pod["status"].get("conditions") or ()
    return next(
        (c.get("message", "") for c in conditions if c["type"] == "PodScheduled" and c["status"] == "False"), ""
    )


def _last_words(kubectl: Kubectl, pod: str) -> str:
    return f"the loader's pod {pod} has ended: {_log(kubectl, pod)}"


def _delete(kubectl: Kubectl, job: str) -> None:
    try:
        kubectl.at_once("delete", job, "--wait=false", "--ignore-not-found")
    except click.ClickException as error:
        click.echo(f"{job} still runs, until its idle timeout: {error.message}", err=True)


def _log(kubectl: Kubectl, pod: str) -> str:
    try:
        return kubectl.at_once("logs", pod, "--tail=5").strip() or "its log is empty"
    except click.ClickException as error:
        return error.message
