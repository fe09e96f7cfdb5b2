"""Adapters of a Hugging Face hub, or of a server that speaks like one."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

from boardroom.adapters.credentials import Credentials
from boardroom.adapters.problem import ProblemError
from boardroom.adapters.remote import SOCKET_SECONDS, Checksum, Manifest, RemoteFile, manifest, wanted
from boardroom.api.adapter import HUB, HuggingFaceSource


class HubRemote:
    """One repository at one revision.

    huggingface_hub knows the API, the addresses and the errors. The bytes are fetched here, because its downloads start
    from nothing again after each interruption, and can neither be stopped nor bounded.
    """

    def __init__(self, source: HuggingFaceSource, credentials: Credentials) -> None:
        self._source = source
        self.source = source.key
        self._endpoint = (source.endpoint or HUB).rstrip("/")
        self._token = credentials.hub_token(self._endpoint) or False

    def resolve(self) -> Manifest:
        """The files at the commit that the revision names now."""
        source = self._source
        with self._explained():
            api = HfApi(endpoint=self._endpoint, token=self._token)
            info = api.model_info(source.repo, revision=source.revision, files_metadata=True, timeout=SOCKET_SECONDS)
        siblings = [sibling for sibling in info.siblings or () if "/" not in sibling.rfilename]
        files = [_file(sibling) for sibling in siblings if wanted(sibling.rfilename)]
        return manifest(self.source, info.sha or source.revision, files, [s.rfilename for s in siblings])

    @contextmanager
    def open(self, manifest: Manifest, file: RemoteFile, offset: int) -> Iterator[Iterator[bytes]]:
        """A stream of the file's bytes. A hub sends on to its storage; there the token does not go along."""
        url = hf_hub_url(self._source.repo, file.name, revision=manifest.revision, endpoint=self._endpoint)
        headers = build_hf_headers(token=self._token) | {"range": f"bytes={offset}-", "accept-encoding": "identity"}
        with (
            self._explained(),
            get_session().stream(
                "GET", url, headers=headers, timeout=SOCKET_SECONDS, follow_redirects=True
            ) as response,
        ):
            if response.is_error:
                response.read()
            hf_raise_for_status(response)
            whole = response.status_code == httpx2.codes.OK  # a server that knows no ranges starts from the beginning
            yield _skip(response.iter_bytes(), offset if whole else 0)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        key = self.source
        try:
            yield
        except HfHubHTTPError as error:
            raise _problem(key, error.response.status_code, tokened=bool(self._token)) from error
        except HFValidationError as error:
            raise ProblemError("AdapterMissing", f"{key}: {error}; correct spec.adapter.huggingFace") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise ProblemError("DownloadFailed", f"{key}: {type(error).__name__}: {error}") from error


def _file(sibling: RepoSibling) -> RemoteFile:
    checksum = Checksum("git", sibling.blob_id) if sibling.blob_id else None
    if sibling.lfs is not None:
        checksum = Checksum("sha256", sibling.lfs.sha256)
    size = sibling.size if sibling.size is not None else 0
    return RemoteFile(sibling.rfilename, size, checksum.hexdigest if checksum else "", checksum)


def _problem(key: str, status: int, *, tokened: bool) -> ProblemError:
    match status:
        case 401 | 403:
            which = "is not taken" if tokened else "is missing"
            return ProblemError(
                "CredentialsMissing",
                f"{key}: HTTP {status}: there is no such repository, or it is private or gated and HF_TOKEN {which}; "
                "correct spec.adapter.huggingFace, or put a token that may read it under HF_TOKEN (and HF_ENDPOINT, "
                "for a hub other than huggingface.co) into the Secret of the Boardroom's "
                "spec.adapters.credentialsSecretRef",
            )
        case 404:
            return ProblemError("AdapterMissing", f"{key}: no such repository, revision or file; correct spec.adapter")
    return ProblemError("DownloadFailed", f"{key}: HTTP {status}")


def _skip(chunks: Iterator[bytes], count: int) -> Iterator[bytes]:
    for chunk in chunks:
        if count < len(chunk):
            yield chunk[count:]
        count = max(0, count - len(chunk))
