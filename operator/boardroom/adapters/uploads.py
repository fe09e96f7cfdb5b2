"""Adapters that arrive on a volume file by file: put together apart, checked, and given their name in one step.

What lies under a name is never changed for other weights: LoRAX knows an adapter by its path only, and would go on with
the ones that it has loaded (LORAX.md, trap 4).
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
"""Begins with a dot, so that no scan takes it for an adapter."""
STALE_SECONDS: Final = 86_400.0
"""What was begun so long ago is thrown away."""

_MAKE_ROOM: Final = "enlarge the claim of the adapters volume, or remove adapters that no member names"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class UploadError(Exception):
    """Nothing was written; `status` is what HTTP calls it, `code` one word, the message the cause and its remedy."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class UploadStore:
    """One volume. `limit` is what one adapter's weights may weigh in bytes. Everything here blocks."""

    def __init__(self, root: Path, limit: int) -> None:
        self.root = root
        self.limit = limit

    def delete_stale(self) -> None:
        """Throw away what was begun long ago; raises UploadError where the volume can't be written."""
        place = self.root / INCOMING
        try:
            place.mkdir(exist_ok=True)
            for entry in place.iterdir():
                if time.time() - entry.stat().st_mtime > STALE_SECONDS:
                    shutil.rmtree(entry, ignore_errors=True)
        except OSError as error:
            raise write_error(self.root, error) from error

    def contains(self, name: str, digest: str) -> bool:
        """Whether this adapter lies under that name already. Raises UploadError where it can't come to lie there."""
        self._check_name(name)
        place = self.root / name
        return place.exists() and self._holds(place, name, digest)

    def received(self, digest: str) -> dict[str, int]:
        """The files of an adapter that have arrived whole, with their sizes in bytes."""
        place = self._staging(digest)
        return {path.name: path.stat().st_size for path in place.iterdir() if is_adapter_file(path.name)}

    def start(self, digest: str, file: str, size: int) -> "Upload":
        """A file of that size (bytes) begins to arrive. Raises UploadError."""
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
        """Give what has arrived its name; False where the same lies there already. Raises UploadError."""
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
            if place.exists():  # nothing that LoRAX could have loaded
                doomed = staging.with_name(f"{staging.name}.replaced.{secrets.token_hex(8)}")
                place.rename(doomed)
                shutil.rmtree(doomed, ignore_errors=True)
            staging.rename(place)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise UploadError(
                    409, "NameTaken", f"{name}: somebody else has just put something there; push again to see what"
                ) from error
            raise write_error(self.root, error) from error
        return True

    def _delete_if_already_present(self, staging: Path, place: Path, name: str, digest: str) -> bool:
        """Whether the same lies there already, and so what has arrived can go."""
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
        """What has arrived is what was announced, and an adapter."""
        for entry in list(staging.iterdir()):
            if not is_adapter_file(entry.name):
                entry.unlink()  # half a file of a push that was killed
        found = read(staging)
        if found.digest != digest:
            shutil.rmtree(staging)
            raise UploadError(
                422,
                "Damaged",
                f"what arrived has the digest {found.digest}, and {digest} was announced: it was damaged on its way, "
                "or its files changed while they were read; push it again",
            )
        if found.problem is not None:
            shutil.rmtree(staging)
            raise UploadError(422, found.problem.reason, found.problem.message)

    def _holds(self, place: Path, name: str, digest: str) -> bool:
        """Whether this adapter lies there; False where what lies there can be replaced, because it can't be loaded."""
        found = read(place, root=self.root.resolve())
        if found.problem is None and found.digest == digest:
            return True
        if found.problem is None or not _holds_only_adapter_files(place):
            raise UploadError(409, "NameTaken", _name_taken_message(name, found))
        return False


class Upload:
    """One file on its way; it counts as arrived only when it is finished, whole."""

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._size = path, size
        # A name of its own: where a connection breaks, the next attempt begins before the last one has ended.
        self._partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        self._stream = self._partial.open("wb")

    def write(self, data: bytes) -> None:
        """Raises UploadError."""
        try:
            self._stream.write(data)
        except OSError as error:
            raise write_error(self._path.parent, error) from error

    def finish(self) -> None:
        """That was all of it. Raises UploadError."""
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
        """Leave nothing of what has not arrived whole."""
        with suppress(OSError):  # what a full volume did not take is not taken now
            self._stream.close()
        self._partial.unlink(missing_ok=True)


def write_error(root: Path, error: OSError) -> UploadError:
    """The refusal where the volume does not let us write."""
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
    """Whether a directory holds nothing but what may be (parts of) one adapter."""
    return (
        place.is_dir()
        and not place.is_symlink()
        and all(
            entry.is_file() and (is_adapter_file(entry.name) or entry.name.endswith(".bin"))
            for entry in place.iterdir()
        )
    )


def _name_taken_message(name: str, found: Adapter) -> str:
    if found.problem is not None:
        return f"{name}: there is something else of that name on the volume; choose another name, or remove it"
    return (
        f"{name}: another adapter ({found.digest}) lies there, and LoRAX does not read changed files under a path "
        "that it knows; push this one under a new name (--name, or rename its folder) and set the member's "
        "spec.adapter.path to it"
    )
