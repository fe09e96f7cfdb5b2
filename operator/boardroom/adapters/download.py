"""Downloads one adapter into the store: bounded, resumable, verified, and visible only when complete."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Final

from boardroom.adapters.adapter import Adapter, read
from boardroom.adapters.config import read_config
from boardroom.adapters.digest import Digests
from boardroom.adapters.files import CONFIG, adapter_files
from boardroom.adapters.problem import ProblemError
from boardroom.adapters.remote import CHUNK_BYTES, Manifest, Remote, RemoteFile
from boardroom.adapters.store import Origin, StoppedError, Store

_PARTIAL: Final = ".partial"


@dataclass
class Progress:
    """The progress of a download in its thread, in bytes; `stop` ends it."""

    done: int = 0
    total: int = 0
    stop: Event = field(default_factory=Event)


def download(remote: Remote, store: Store, max_bytes: int, progress: Progress) -> Origin:
    """Fetch, check and store the adapter. Blocks; raises ProblemError and StoppedError.

    Partial files stay for the next attempt, unless their bytes are wrong. The config is fetched first, so that an
    adapter that LoRAX would apply wrongly is refused before its weights are fetched.
    """
    try:
        with store.locked(remote.source, progress.stop):
            stored = store.origin(remote.source, Digests())  # another server's sidecar may have fetched it meanwhile
            return stored or _download_all(remote, store, max_bytes, progress)
    except OSError as error:
        raise _disk_error(remote.source, store, error) from error


def _download_all(remote: Remote, store: Store, max_bytes: int, progress: Progress) -> Origin:
    source = remote.source
    manifest = remote.resolve()
    _check_size(source, manifest, max_bytes)
    store.check_space(source, manifest.size)
    staging = store.staging(source, manifest.revision)
    progress.done, progress.total = 0, manifest.size
    for file in manifest.files:
        _fetch(remote, manifest, file, staging / file.name, progress)
        if file.name == CONFIG:
            _refuse_unsupported(source, staging)
    adapter = read(staging)
    if adapter.problem or adapter.digest is None:
        raise _adapter_error(source, staging, adapter)
    origin = Origin(source, manifest.revision, adapter.digest)
    store.commit(staging, origin)
    return origin


def _fetch(remote: Remote, manifest: Manifest, file: RemoteFile, place: Path, progress: Progress) -> None:
    partial = place.with_name(f"{file.name}{_PARTIAL}")
    if place.exists() and place.stat().st_size == file.size:
        progress.done += file.size
        return
    hasher = file.checksum.hasher(file.size) if file.checksum else None
    update: Callable[[bytes], None] = hasher.update if hasher else lambda _: None
    with partial.open("a+b") as out:
        out.seek(0)
        while chunk := out.read(CHUNK_BYTES):  # an earlier attempt's bytes
            update(chunk)
        have = out.tell()
        progress.done += min(have, file.size)
        if have < file.size:
            with remote.open(manifest, file, have) as chunks:
                for chunk in chunks:
                    if progress.stop.is_set():
                        raise StoppedError
                    have += len(chunk)
                    if have > file.size:
                        break
                    out.write(chunk)
                    update(chunk)
                    progress.done += len(chunk)
        out.flush()
        os.fsync(out.fileno())
    if have < file.size:
        raise ProblemError("DownloadFailed", f"{remote.source}: {file.name} ended after {have} of {file.size} bytes")
    if have > file.size or (hasher and file.checksum and hasher.hexdigest() != file.checksum.hexdigest):
        partial.unlink()
        raise ProblemError(
            "DownloadFailed",
            f"{remote.source}: {file.name} is not what the server says it is ({_expected(file)}); it is fetched again",
        )
    partial.replace(place)


def _expected(file: RemoteFile) -> str:
    return f"{file.checksum.kind} {file.checksum.hexdigest}" if file.checksum else f"{file.size} bytes"


def _check_size(source: str, manifest: Manifest, max_bytes: int) -> None:
    if manifest.size > max_bytes:
        raise ProblemError(
            "TooLarge",
            f"{source}: {manifest.size} bytes, and the Boardroom's spec.adapters.maxSize is {max_bytes}; train with "
            "a lower rank or on fewer modules, or raise it",
        )


def _refuse_unsupported(source: str, staging: Path) -> None:
    try:
        unsupported = read_config(staging, adapter_files(staging, None)).unsupported
    except ProblemError as error:
        raise ProblemError(error.problem.reason, _with_source(source, staging, str(error))) from error
    if unsupported:
        raise ProblemError("UnsupportedFeature", _with_source(source, staging, unsupported))


def _adapter_error(source: str, staging: Path, adapter: Adapter) -> ProblemError:
    if adapter.problem is None:
        return ProblemError("AdapterInvalid", f"{source}: it has no digest; upload it again")
    return ProblemError(adapter.problem.reason, _with_source(source, staging, adapter.problem.message))


def _with_source(source: str, staging: Path, message: str) -> str:
    """Return a message with the source in place of the staging directory, which users don't know."""
    return message.replace(f"{staging}/", f"{source}: ").replace(str(staging), source)


def _disk_error(source: str, store: Store, error: OSError) -> ProblemError:
    if isinstance(error, (ConnectionError, TimeoutError)):
        return ProblemError("DownloadFailed", f"{source}: {error}")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = "the volume is full: raise the Boardroom's spec.adapters.downloads.sizeLimit or the claim's size"
    else:
        remedy = f"{store.root} must be writable for the sidecar's user"
    return ProblemError("DownloadFailed", f"{source}: {error.strerror or error}; {remedy}")
