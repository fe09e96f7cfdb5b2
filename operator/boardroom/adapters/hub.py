"""Fetches adapters from a Hugging Face hub, or from a server with its API."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import quote

import httpx2
import msgspec
from huggingface_hub import hf_hub_url
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import build_hf_headers, get_session, validate_repo_id

from boardroom.adapters.credentials import Credentials
from boardroom.adapters.files import CONFIG
from boardroom.adapters.problem import ProblemError
from boardroom.adapters.remote import (
    SOCKET_SECONDS,
    Checksum,
    Manifest,
    RemoteFile,
    adapter_file_names,
    in_parentheses,
    manifest,
    read_metadata,
    refuse_page,
)
from boardroom.api.adapter import HUB, HuggingFaceSource

_MAX_LISTED: Final = 10_000
_MAX_NAMED: Final = 3
_MAX_ERROR_BYTES: Final = 4096
"""How much of an error is read."""
_REMEDY: Final = "spec.adapter.huggingFace.endpoint must be the URL of a hub that answers as huggingface.co does"
_WHERE_TOKENS_ARE: Final = "the Secret of the Boardroom's spec.adapters.credentialsSecretRef"


class _Lfs(msgspec.Struct):
    sha256: str | None = None
    size: int | None = None


class _Sibling(msgspec.Struct, rename="camel"):
    rfilename: str
    size: int | None = None
    blob_id: str | None = None
    lfs: _Lfs | None = None


class _Info(msgspec.Struct):
    """The fields that are used of a model's description; the decoder skips all others."""

    siblings: list[_Sibling]
    sha: Annotated[str, msgspec.Meta(max_length=128)] | None = None


class HubRemote:
    """A Hugging Face repository at one revision.

    huggingface_hub builds URLs and headers. This class reads the responses itself: huggingface_hub does not bound
    them, and its downloads restart after each interruption and can be neither stopped nor bounded.
    """

    def __init__(self, source: HuggingFaceSource, credentials: Credentials) -> None:
        self._source = source
        self.source = source.key
        self._endpoint = (source.endpoint or HUB).rstrip("/")
        self._token = credentials.hub_token(self._endpoint) or False

    def resolve(self) -> Manifest:
        """Return the files at the commit that the revision names now."""
        source, key = self._source, self.source
        with self._explained():
            validate_repo_id(source.repo)
        url = f"{self._endpoint}/api/models/{source.repo}/revision/{quote(source.revision, safe='')}?blobs=true"
        with self._answer(url, {}) as response:
            body = read_metadata(key, response.iter_raw())
        try:
            info = msgspec.json.decode(body, type=_Info)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ProblemError(
                "DownloadFailed", f"{key}: {self._endpoint} does not answer as a hub ({error}); {_REMEDY}"
            ) from error
        if len(info.siblings) > _MAX_LISTED:
            raise ProblemError(
                "DownloadFailed",
                f"{key}: its hub lists {len(info.siblings)} files, and at most {_MAX_LISTED} are read; "
                "name a repository of one adapter",
            )
        folder = source.folder
        below = {s.rfilename.removeprefix(folder): s for s in info.siblings if s.rfilename.startswith(folder)}
        siblings = {name: sibling for name, sibling in below.items() if "/" not in name}
        if CONFIG not in siblings:
            self._refuse_without_config([sibling.rfilename for sibling in info.siblings])
        files = [self._file(name, siblings[name]) for name in adapter_file_names(key, siblings)]
        return manifest(key, info.sha or source.revision, files, list(siblings))

    @contextmanager
    def open(self, manifest: Manifest, file: RemoteFile, offset: int) -> Iterator[Iterator[bytes]]:
        """Stream the file's bytes."""
        name = self._source.folder + file.name
        url = hf_hub_url(self._source.repo, name, revision=manifest.revision, endpoint=self._endpoint)
        with self._answer(url, {"range": f"bytes={offset}-"}) as response:
            whole = response.status_code == httpx2.codes.OK  # a server without ranges sends the file from its beginning
            yield _skip(response.iter_raw(), offset if whole else 0)

    @contextmanager
    def _answer(self, url: str, headers: dict[str, str]) -> Iterator[httpx2.Response]:
        """Return a successful response, unread. A hub redirects to its storage, which does not get the token."""
        headers = build_hf_headers(token=self._token) | headers | {"accept-encoding": "identity"}
        with (
            self._explained(),
            get_session().stream(
                "GET", url, headers=headers, timeout=SOCKET_SECONDS, follow_redirects=True
            ) as response,
        ):
            status = response.status_code
            refuse_page(self.source, self._endpoint, status, response.headers.get("content-type", ""), _REMEDY)
            if response.is_error:
                raise self._refusal(response)
            encoding = response.headers.get("content-encoding", "identity")
            if encoding != "identity":  # not requested, and a few compressed bytes can expand to many
                raise ProblemError("DownloadFailed", f"{self.source}: its hub answers in {encoding}; {_REMEDY}")
            yield response

    def _file(self, name: str, sibling: _Sibling) -> RemoteFile:
        lfs = sibling.lfs or _Lfs()
        size = sibling.size if sibling.size is not None else lfs.size
        if size is None:
            raise ProblemError(
                "DownloadFailed",
                f"{self.source}: its hub does not say how large {sibling.rfilename} is, so it can't be bounded; "
                f"{_REMEDY} with ?blobs=true, or give the adapter by spec.adapter.s3 or spec.adapter.path",
            )
        checksum = Checksum("git", sibling.blob_id.lower()) if sibling.blob_id else None
        if sibling.lfs is not None:  # blobId is then that of the LFS pointer
            checksum = Checksum("sha256", lfs.sha256.lower()) if lfs.sha256 else None
        return RemoteFile(name, size, checksum.hexdigest if checksum else "", checksum)

    def _refuse_without_config(self, names: list[str]) -> None:
        """Raise ProblemError if other folders hold an adapter; the message names them."""
        folders = sorted(name.removesuffix(f"/{CONFIG}") for name in names if name.endswith(f"/{CONFIG}"))
        if folders:
            more = f" and {len(folders) - _MAX_NAMED} more" if len(folders) > _MAX_NAMED else ""
            raise ProblemError(
                "AdapterMissing",
                f"{self.source}: holds no {CONFIG} there, but in {', '.join(folders[:_MAX_NAMED])}{more}; name the "
                "folder by spec.adapter.huggingFace.subfolder",
            )

    def _refusal(self, response: httpx2.Response) -> ProblemError:
        """Return the problem that an error response means; it may come from the hub or from its storage."""
        key, status, cause = self.source, response.status_code, _cause(response)
        code = response.headers.get("x-error-code", "")
        if response.history and not code:
            return ProblemError(
                "DownloadFailed",
                f"{key}: the storage that its hub sends on to answers HTTP {status}{cause}; the next attempt asks the "
                "hub for a new link",
            )
        if code == "GatedRepo" and self._token:
            return ProblemError(
                "CredentialsMissing",
                f"{key}: HTTP {status}{cause}: it is gated, and the account of HF_TOKEN has not been let in; ask for "
                f"access on the page of {self._source.repo}, or put another account's token into {_WHERE_TOKENS_ARE}",
            )
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            which = "is rejected" if self._token else "is missing"
            return ProblemError(
                "CredentialsMissing",
                f"{key}: HTTP {status}{cause}: there is no such repository, or it is private or gated and HF_TOKEN "
                f"{which}; correct spec.adapter.huggingFace, or put a token that may read it under HF_TOKEN (and "
                f"HF_ENDPOINT, for a hub other than huggingface.co) into {_WHERE_TOKENS_ARE}",
            )
        if status == HTTPStatus.NOT_FOUND:
            return ProblemError(
                "AdapterMissing", f"{key}: no such repository, revision or file{cause}; correct spec.adapter"
            )
        return ProblemError("DownloadFailed", f"{key}: HTTP {status}{cause}")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        key = self.source
        try:
            yield
        except HFValidationError as error:
            raise ProblemError("AdapterMissing", f"{key}: {error}; correct spec.adapter.huggingFace") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise ProblemError("DownloadFailed", f"{key}: {type(error).__name__}: {error}") from error


def _cause(response: httpx2.Response) -> str:
    """Return the server's reason in parentheses: the hub's header, or the message in its JSON or in a storage's XML."""
    text = response.headers.get("x-error-message", "")
    if not text:
        body = next(response.iter_raw(_MAX_ERROR_BYTES), b"").decode(errors="replace")
        match = re.search(r'"(?:error|message)": *"([^"]*)"|<Message>([^<]*)</Message>', body)
        text = (match[1] or match[2] or "") if match else ""
    return in_parentheses(text)


def _skip(chunks: Iterator[bytes], count: int) -> Iterator[bytes]:
    for chunk in chunks:
        if count < len(chunk):
            yield chunk[count:]
        count = max(0, count - len(chunk))
