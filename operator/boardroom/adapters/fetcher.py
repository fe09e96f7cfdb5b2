"""Keeps what is wanted in the store: downloads with back-off, and clears away what nobody has wanted for long."""

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
"""Downloads at the same time; they share the pod's network with a model's."""
FIRST_RETRY_SECONDS: Final = 5.0
LAST_RETRY_SECONDS: Final = 300.0
LINGER_SECONDS: Final = 60.0
"""A source that fell off the list is dropped only then: two coordinators may differ while one replaces the other."""
GRACE_SECONDS: Final = 3900.0
"""A stored adapter stays so long after it was last wanted: a question, at most an hour long, may still need it."""
DOWNLOAD_SECONDS: Final = 3600.0
"""A download that takes longer is broken off; the next attempt goes on from there."""

_LOG = logging.getLogger(__name__)


@dataclass
class Fetch:
    """One wanted source and how far it is: queued, downloading, ready or failed."""

    source: Source
    wanted_at: float
    state: str = "queued"
    progress: Progress = field(default_factory=Progress)
    origin: Origin | None = None
    problem: Problem | None = None
    retry_at: datetime | None = None
    task: asyncio.Task[None] | None = None


class Fetcher:
    """Lives in one event loop; all that blocks is in threads."""

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
        """When each stored adapter was last wanted, on the clock."""
        self._swept_at = float("-inf")

    async def set_desired(self, wanted: DesiredSources) -> None:
        """Take in the whole list."""
        now = self._clock()
        if wanted.max_bytes != self._max_bytes:
            self._max_bytes = wanted.max_bytes
            self._retry_failed()
        for source in (item.source for item in wanted.sources):
            fetch = self._fetches.get(source.key)
            if fetch is None:
                fetch = self._fetches[source.key] = Fetch(source, now)
                fetch.task = asyncio.create_task(self._fetch_until_stored(fetch), name=source.key)
            fetch.wanted_at = now
        for fetch in list(self._fetches.values()):
            if now - fetch.wanted_at > LINGER_SECONDS:
                self._drop(fetch)
        for path in wanted.keep:
            self._desired_at[Path(path)] = now
        await self.sweep()

    async def sweep(self) -> None:
        """Clear away what nobody wants any more; at most once a minute there is anything to do."""
        now = self._clock()
        self._note_desired(now)
        if now - self._swept_at < LINGER_SECONDS:
            return
        self._swept_at = now
        await asyncio.to_thread(self.store.prune, set(self._fetches))
        stored = await self.stored()
        self._note_desired(now)  # of what was fetched while that was read
        for adapter in stored:
            # After a restart nobody has said yet what is in use.
            if now - self._desired_at.setdefault(adapter.path, now) > GRACE_SECONDS:
                _LOG.info("an adapter that nobody wants any more is removed", extra={"path": str(adapter.path)})
                await asyncio.to_thread(self.store.remove, adapter.path)
        # Whoever asks may name any directory to keep; nothing is remembered of those that are not there.
        self._desired_at = {adapter.path: self._desired_at[adapter.path] for adapter in stored}

    def _note_desired(self, now: float) -> None:
        for fetch in self._fetches.values():
            if fetch.origin is not None:
                self._desired_at[self.store.path(fetch.origin.digest)] = now

    async def stored(self) -> list[Adapter]:
        """What is in the store."""
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
        """Until it is stored."""
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
                    f"{key}: not whole after {DOWNLOAD_SECONDS:.0f} s; the next attempt goes on from there",
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
            _LOG.exception("an adapter's server answered what nobody foresaw", extra={"source": source.key})
            raise ProblemError(
                "DownloadFailed",
                f"{source.key}: its server's answer can't be understood ({type(error).__name__}: {error}); see that "
                "the endpoint in spec.adapter is a hub, or an S3 server's API",
            ) from error

    def _retry_failed(self) -> None:
        """What was too large may not be any more."""
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
