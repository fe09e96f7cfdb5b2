"""Receives adapters on a volume, file by file: staged apart, verified, and renamed in one step.

Files under a name are never replaced by other weights: LoRAX knows an adapter by its path, and would keep using the
weights that it has loaded (docs/lorax.md#path-cache).
"""

import errno
import os
import re
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

from boardroom.adapters.adapter import Adapter, read
from boardroom.adapters.config import MAX_BYTES as MAX_CONFIG_BYTES
from boardroom.adapters.files import CONFIG, is_adapter_file, is_read_by_lorax
from boardroom.api.adapter import ADAPTER_PATH, ADAPTER_PATH_IN_WORDS, MAX_ADAPTER_PATH

INCOMING: Final = ".boardroom-incoming"
"""The staging directory. The name begins with a dot, so that scans skip it."""
STALE_SECONDS: Final = 86_400.0
"""Staged adapters are deleted after this time."""

_MAKE_ROOM: Final = "enlarge the claim of the adapters volume, or remove adapters that no member names"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class UploadError(Exception):
    """An upload was refused: HTTP status, a code of one word, and a message with cause and remedy."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class UploadStore:
    """The volume of uploaded adapters; an adapter's weights may have at most `limit` bytes. Every method blocks."""

    def __init__(self, root: Path, limit: int) -> None:
        self.root = root
        self.limit = limit

    def delete_stale(self) -> None:
        """Delete stale staged adapters; raises UploadError if the volume can't be written."""
        place = self.root / INCOMING
        try:
            place.mkdir(exist_ok=True)
            for entry in place.iterdir():
                if time.time() - entry.stat().st_mtime > STALE_SECONDS:
                    shutil.rmtree(entry, ignore_errors=True)
        except OSError as error:
            raise write_error(self.root, error) from error

    def contains(self, name: str, digest: str) -> bool:
        """Whether the volume has this adapter under this name; raises UploadError if the name can't be used."""
        self._check_name(name)
        place = self.root / name
        return place.exists() and self._holds(place, name, digest)

    def received(self, digest: str) -> dict[str, int]:
        """Return the adapter's files that have been received completely, with their sizes in bytes."""
        place = self._staging(digest)
        return {path.name: path.stat().st_size for path in place.iterdir() if is_adapter_file(path.name)}

    def start(self, digest: str, file: str, size: int) -> "Upload":
        """Start the upload of a file of this size (bytes); raises UploadError."""
        if not is_adapter_file(file):
            raise UploadError(
                422, "NotAnAdaptersFile", f"{file!r}: only {CONFIG} and *.safetensors are parts of an adapter"
            )
        staging = self._staging(digest)
        try:
            self._check_space(staging, file, size)
            return Upload(staging / file, size)
        except OSError as error:
            raise write_error(self.root, error) from error

    def commit(self, name: str, digest: str) -> bool:
        """Put the received adapter under its name; return False if it is there already. Raises UploadError."""
        self._check_name(name)
        staging, place = self._staging(digest), self.root / name
        try:
            if self._delete_if_already_present(staging, place, name, digest):
                return False
            self._verify(staging, digest)
            if self._delete_if_already_present(
                staging, place, name, digest
            ):  # by another push, while this one was read
                return False
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.exists():  # _holds has checked that LoRAX can't load this
                doomed = staging.with_name(f"{staging.name}.replaced.{secrets.token_hex(8)}")
                place.rename(doomed)
                shutil.rmtree(doomed, ignore_errors=True)
            staging.rename(place)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise UploadError(
                    409, "NameTaken", f"{name}: another push has just put an adapter there; push again to compare"
                ) from error
            raise write_error(self.root, error) from error
        return True

    def _delete_if_already_present(self, staging: Path, place: Path, name: str, digest: str) -> bool:
        """Return whether the same adapter is there already; if so, delete the received copy."""
        if not (place.exists() and self._holds(place, name, digest)):
            return False
        shutil.rmtree(staging)
        return True

    def _check_name(self, name: str) -> None:
        if len(name) > MAX_ADAPTER_PATH or re.fullmatch(ADAPTER_PATH, name) is None:
            raise UploadError(422, "BadName", f"{name!r}: an adapter's name has {ADAPTER_PATH_IN_WORDS}")
        if not (self.root / name).parent.resolve().is_relative_to(self.root.resolve()):
            raise UploadError(422, "BadName", f"{name}: leads out of the volume through a link; choose another name")
        for folder in PurePosixPath(name).parents[:-1]:
            place = self.root / folder
            if place.exists() and (not place.is_dir() or _looks_like_an_adapter(place)):
                raise UploadError(
                    409,
                    "NameTaken",
                    f"{name}: {folder} is an adapter itself, and no board looks below one; choose another",
                )

    def _staging(self, digest: str) -> Path:
        if _DIGEST.fullmatch(digest) is None:
            raise UploadError(422, "BadDigest", f"{digest!r}: a digest is sha256: and 64 hexadecimal digits")
        place = self.root / INCOMING / digest.replace(":", "-")
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(self.root, error) from error
        return place

    def _check_space(self, staging: Path, file: str, size: int) -> None:
        whole = (
            path for path in staging.iterdir() if is_adapter_file(path.name)
        )  # the rest was begun by a push that broke
        others = sum(path.stat().st_size for path in whole if path.name not in (CONFIG, file))
        limit = MAX_CONFIG_BYTES if file == CONFIG else self.limit - others
        if size > limit:
            raise UploadError(
                413,
                "TooLarge",
                f"{file}: {size} bytes, and {max(0, limit)} are allowed; the Boardroom's spec.adapters.maxSize says "
                "how much an adapter may weigh",
            )
        free = shutil.disk_usage(self.root).free
        if size > free:
            raise UploadError(
                507,
                "VolumeFull",
                f"{file}: {size} bytes, and {free} are free on the adapters volume; {_MAKE_ROOM}",
            )

    def _verify(self, staging: Path, digest: str) -> None:
        """Raise UploadError unless the received files are an adapter with the announced digest."""
        for entry in list(staging.iterdir()):
            if not is_adapter_file(entry.name):
                entry.unlink()  # a partial file of a push that was killed
        adapter = read(staging)
        if adapter.digest != digest:
            shutil.rmtree(staging)
            raise UploadError(
                422,
                "Damaged",
                f"the received files have the digest {adapter.digest}, and {digest} was announced: they were damaged "
                "on the way, or changed while they were read; push again",
            )
        if adapter.problem is not None:
            shutil.rmtree(staging)
            raise UploadError(422, adapter.problem.reason, adapter.problem.message)

    def _holds(self, place: Path, name: str, digest: str) -> bool:
        """Whether the directory has this adapter; False if LoRAX can't load its files, which may then be replaced."""
        adapter = read(place, root=self.root.resolve())
        if adapter.problem is None and adapter.digest == digest:
            return True
        if adapter.problem is None or not _holds_only_adapter_files(place):
            raise UploadError(409, "NameTaken", _name_taken_message(name, adapter))
        return False


class Upload:
    """The upload of one file, which counts as received only when it is finished."""

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._size = path, size
        # Unique: after a broken connection the next attempt may begin before the last one has ended.
        self._partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        self._stream = self._partial.open("wb")

    def write(self, data: bytes) -> None:
        """Write a chunk; raises UploadError."""
        try:
            self._stream.write(data)
        except OSError as error:
            raise write_error(self._path.parent, error) from error

    def finish(self) -> None:
        """End the file; raises UploadError if it is not complete."""
        try:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            arrived = self._stream.tell()
            if arrived != self._size:
                raise UploadError(
                    400, "Incomplete", f"{self._path.name}: {arrived} of {self._size} bytes arrived; send it again"
                )
            self._partial.replace(self._path)
        except OSError as error:
            raise write_error(self._path.parent, error) from error
        finally:
            self.abort()

    def abort(self) -> None:
        """Delete a partial file; after `finish` this does nothing."""
        with suppress(OSError):  # a full volume fails again here
            self._stream.close()
        self._partial.unlink(missing_ok=True)


def write_error(root: Path, error: OSError) -> UploadError:
    """Return the refusal if the volume can't be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UploadError(507, "VolumeFull", f"{error.filename or root}: {error.strerror}; {_MAKE_ROOM}")
    return UploadError(
        507,
        "VolumeNotWritable",
        f"{error.filename or root}: {error.strerror}; the adapters volume must be writable for user {os.getuid()} or "
        f"group {os.getgid()} (on NFS: chown or chmod the exported directory)",
    )


def _looks_like_an_adapter(place: Path) -> bool:
    return any(is_read_by_lorax(entry.name) for entry in place.iterdir())


def _holds_only_adapter_files(place: Path) -> bool:
    """Whether a directory has only files that may be (parts of) one adapter."""
    return (
        place.is_dir()
        and not place.is_symlink()
        and all(
            entry.is_file() and (is_adapter_file(entry.name) or entry.name.endswith(".bin"))
            for entry in place.iterdir()
        )
    )


def _name_taken_message(name: str, adapter: Adapter) -> str:
    if adapter.problem is not None:
        return f"{name}: the volume has something else of that name; choose another name, or remove it"
    return (
        f"{name}: another adapter ({adapter.digest}) is there, and LoRAX does not read changed files under a path "
        "that it knows; push this one under a new name (--name, or rename its folder) and set the member's "
        "spec.adapter.path to it"
    )
