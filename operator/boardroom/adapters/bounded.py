"""botocore's answers, bounded: by itself it reads listings and errors of any length into memory."""

import os
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final

from botocore.awsrequest import AWSResponse
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session
from botocore.session import Session
from botocore.utils import get_environ_proxies
from urllib3.exceptions import HTTPError

from boardroom.adapters.problem import ProblemError
from boardroom.adapters.remote import CHUNK_BYTES, SOCKET_SECONDS, read_metadata, refuse_page

CONNECT_SECONDS: Final = 10.0
_LISTING: Final = b"ListBucketResult"
"""Begins the only answer with a body, but for errors and objects, that is asked for."""


class BoundedSender:
    """Handles `before-send.s3` of one client: sends the request, and answers with what is read within bounds."""

    def __init__(self, source: str, endpoint: str, remedy: str, settings: Session) -> None:
        self._source, self._endpoint, self._remedy = source, endpoint, remedy
        self._session = URLLib3Session(
            timeout=(CONNECT_SECONDS, SOCKET_SECONDS),
            proxies=get_environ_proxies(endpoint),
            verify=settings.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE") or True,
        )

    def __call__(self, request: Any, **_: Any) -> AWSResponse:
        """An answer, unread where it is an object's; raises ProblemError, or as botocore does where nobody answers."""
        streamed, request.stream_output = request.stream_output, True
        found = self._session.send(request)
        try:
            return self._bounded(found, whole=not streamed)
        except BaseException:
            found.raw.close()
            raise

    def _bounded(self, found: AWSResponse, *, whole: bool) -> AWSResponse:
        status, kind = found.status_code, found.headers.get("content-type", "")
        refuse_page(self._source, self._endpoint, status, kind, self._remedy)
        answer = _BoundedResponse(self._source, found)
        # Read now, while botocore tries again where the connection breaks; of what is no XML it makes an error 500.
        if whole and answer.content and status == HTTPStatus.OK and _LISTING not in answer.content[:1024]:
            raise ProblemError(
                "DownloadFailed", f"{self._source}: {self._endpoint} does not answer as an S3 server; {self._remedy}"
            )
        return answer


class _BoundedResponse(AWSResponse):  # type: ignore[misc]  # botocore has no types
    def __init__(self, source: str, found: AWSResponse) -> None:
        super().__init__(found.url, found.status_code, found.headers, found.raw)
        self._source = source

    @cached_property
    def content(self) -> bytes:
        """All of it, where botocore wants all of it: whatever is no object's bytes."""
        try:
            return read_metadata(self._source, iter(lambda: self.raw.read1(CHUNK_BYTES), b""))
        except HTTPError as error:
            raise HTTPClientError(error=error) from error
