"""Keeps the desired adapters in the store: downloads them with back-off, and removes those long out of use."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from boardroom.adapters.adapter import Adapter
from boardroom.adapters.bucket import BucketRemote
from boardroom.adapters.credentials import Credentials
from boardroom.adapters.digest import Digests
from boardroom.adapters.download import Progress, download
from boardroom.adapters.hub import HubRemote
from boardroom.adapters.problem import Problem, ProblemError
from boardroom.adapters.protocol import DesiredSources, ProblemEntry, SourceEntry
from boardroom.adapters.remote import Remote
from boardroom.adapters.store import Origin, StoppedError, Store
from boardroom.api.adapter import S3Source, Source

CONCURRENT_DOWNLOADS: Final = 2
"""Downloads share the pod's network with the model's download."""
FIRST_RETRY_SECONDS: Final = 5.0
LAST_RETRY_SECONDS: Final = 300.0
LINGER_SECONDS: Final = 60.0
"""How long a source stays after it left the list: two coordinators may differ while one replaces the other."""
GRACE_SECONDS: Final = 3900.0
"""How long a stored adapter stays after it was last desired: a question, at most an hour long, may still use it."""
DOWNLOAD_SECONDS: Final = 3600.0
"""A longer download is interrupted; the next attempt resumes it."""

_LOG = logging.getLogger(__name__)


@dataclass
class Fetch:
    """The download of a desired source; `state` is queued, downloading, ready or failed."""

    source: Source
    desired_at: float
    state: str = "queued"
    progress: Progress = field(default_factory=Progress)
    origin: Origin | None = None
    problem: Problem | None = None
    retry_at: datetime | None = None
    task: asyncio.Task[None] | None = None


class Fetcher:
    """Runs in one event loop; blocking work is in threads."""

    def __init__(
        self,
        store: Store,
        credentials: Path | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        first_retry: float = FIRST_RETRY_SECONDS,
    ) -> None:
        self.store = store
        self._credentials = credentials
        self._clock = clock
        self._first_retry = first_retry
        self._fetches: dict[str, Fetch] = {}
        self._max_bytes = 0
        self._places = asyncio.Semaphore(CONCURRENT_DOWNLOADS)
        self._digests = Digests()
        self._desired_at: dict[Path, float] = {}
        """When each stored adapter was last desired, on the clock."""
        self._swept_at = float("-inf")

    async def set_desired(self, desired: DesiredSources) -> None:
        """Take the list of desired sources: start, keep and drop downloads."""
        now = self._clock()
        if desired.max_bytes != self._max_bytes:
            self._max_bytes = desired.max_bytes
            self._retry_failed()
        for source in (item.source for item in desired.sources):
            fetch = self._fetches.get(source.key)
            if fetch is None:
                fetch = self._fetches[source.key] = Fetch(source, now)
                fetch.task = asyncio.create_task(self._fetch_until_stored(fetch), name=source.key)
            fetch.desired_at = now
        for fetch in list(self._fetches.values()):
            if now - fetch.desired_at > LINGER_SECONDS:
                self._drop(fetch)
        for path in desired.keep:
            self._desired_at[Path(path)] = now
        await self.sweep()

    async def sweep(self) -> None:
        """Remove adapters and partial downloads that are no longer desired, at most once a minute."""
        now = self._clock()
        self._note_desired(now)
        if now - self._swept_at < LINGER_SECONDS:
            return
        self._swept_at = now
        await asyncio.to_thread(self.store.prune, set(self._fetches))
        stored = await self.stored()
        self._note_desired(now)  # for adapters fetched meanwhile
        for adapter in stored:
            # After a restart it is not known yet which adapters are in use.
            if now - self._desired_at.setdefault(adapter.path, now) > GRACE_SECONDS:
                _LOG.info("an adapter that is no longer desired is removed", extra={"path": str(adapter.path)})
                await asyncio.to_thread(self.store.remove, adapter.path)
        # `keep` may name any directory; names of directories outside the store are dropped.
        self._desired_at = {adapter.path: self._desired_at[adapter.path] for adapter in stored}

    def _note_desired(self, now: float) -> None:
        for fetch in self._fetches.values():
            if fetch.origin is not None:
                self._desired_at[self.store.path(fetch.origin.digest)] = now

    async def stored(self) -> list[Adapter]:
        """Return the stored adapters."""
        return await asyncio.to_thread(self.store.adapters, self._digests)

    def report(self) -> tuple[SourceEntry, ...]:
        """Return the state of each desired source, by its key."""
        return tuple(self._entry(key, fetch) for key, fetch in sorted(self._fetches.items()))

    def _entry(self, key: str, fetch: Fetch) -> SourceEntry:
        origin = fetch.origin
        return SourceEntry(
            source=key,
            state=fetch.state,
            path=str(self.store.path(origin.digest)) if origin else None,
            revision=origin.revision if origin else None,
            bytes_done=fetch.progress.done,
            bytes_total=fetch.progress.total,
            problem=ProblemEntry.of(fetch.problem),
            retry_at=fetch.retry_at.isoformat(timespec="seconds") if fetch.retry_at else None,
        )

    async def _fetch_until_stored(self, fetch: Fetch) -> None:
        """Try until the source is stored, with back-off."""
        pause = self._first_retry
        while fetch.origin is None:
            try:
                fetch.origin = await self._attempt(fetch)
            except ProblemError as error:
                if fetch.problem != error.problem:
                    _LOG.warning(
                        "an adapter can't be fetched", extra={"reason": error.problem.reason, "error": str(error)}
                    )
                fetch.state, fetch.problem = "failed", error.problem
                fetch.retry_at = datetime.fromtimestamp(time.time() + pause, UTC)
                await asyncio.sleep(pause)
                pause = min(LAST_RETRY_SECONDS, 2 * pause)
        fetch.state, fetch.problem, fetch.retry_at = "ready", None, None

    async def _attempt(self, fetch: Fetch) -> Origin:
        key = fetch.source.key
        known = await asyncio.to_thread(self.store.origin, key, self._digests)
        if known is not None:
            return known
        async with self._places:
            progress = fetch.progress = Progress()
            if fetch.problem is None:
                fetch.state = "downloading"
            try:
                async with asyncio.timeout(DOWNLOAD_SECONDS):
                    return await asyncio.to_thread(self._download, fetch.source, progress)
            except TimeoutError:
                raise ProblemError(
                    "DownloadFailed",
                    f"{key}: not complete after {DOWNLOAD_SECONDS:.0f} s; the next attempt resumes it",
                ) from None
            finally:
                progress.stop.set()

    def _download(self, source: Source, progress: Progress) -> Origin:
        try:
            remote = _remote(source, Credentials.read(self._credentials))
            return download(remote, self.store, self._max_bytes, progress)
        except StoppedError:
            raise ProblemError("DownloadFailed", f"{source.key}: stopped") from None
        except ProblemError:
            raise
        except Exception as error:
            _LOG.exception("an adapter's server sent an unexpected answer", extra={"source": source.key})
            raise ProblemError(
                "DownloadFailed",
                f"{source.key}: its server's answer can't be understood ({type(error).__name__}: {error}); see that "
                "the endpoint in spec.adapter is a hub, or an S3 server's API",
            ) from error

    def _retry_failed(self) -> None:
        """Retry failed downloads at once: the size limit has changed."""
        for fetch in self._fetches.values():
            if fetch.state == "failed" and fetch.task is not None:
                fetch.task.cancel()
                fetch.task = asyncio.create_task(self._fetch_until_stored(fetch), name=fetch.source.key)

    def _drop(self, fetch: Fetch) -> None:
        if fetch.task is not None:
            fetch.task.cancel()
        del self._fetches[fetch.source.key]


def _remote(source: Source, credentials: Credentials) -> Remote:
    if isinstance(source, S3Source):
        return BucketRemote(source, credentials)
    return HubRemote(source, credentials)
