"""Bounds botocore's responses: the library reads listings and errors of any length into memory."""

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
"""The first element of a listing, the only response with a body that is neither an error nor an object."""


class BoundedSender:
    """Handles `before-send.s3` of one client: sends the request, and returns a bounded response."""

    def __init__(self, source: str, endpoint: str, remedy: str, settings: Session) -> None:
        self._source, self._endpoint, self._remedy = source, endpoint, remedy
        self._session = URLLib3Session(
            timeout=(CONNECT_SECONDS, SOCKET_SECONDS),
            proxies=get_environ_proxies(endpoint),
            verify=settings.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE") or True,
        )

    def __call__(self, request: Any, **_: Any) -> AWSResponse:
        """Return the response, unread if it is an object's. Raises ProblemError and botocore's connection errors."""
        streamed, request.stream_output = request.stream_output, True
        response = self._session.send(request)
        try:
            return self._bounded(response, whole=not streamed)
        except BaseException:
            response.raw.close()
            raise

    def _bounded(self, response: AWSResponse, *, whole: bool) -> AWSResponse:
        status, kind = response.status_code, response.headers.get("content-type", "")
        refuse_page(self._source, self._endpoint, status, kind, self._remedy)
        bounded = _BoundedResponse(self._source, response)
        # Read now: botocore still retries a broken connection here, and would turn a body that is not XML into a 500.
        if whole and bounded.content and status == HTTPStatus.OK and _LISTING not in bounded.content[:1024]:
            raise ProblemError(
                "DownloadFailed", f"{self._source}: {self._endpoint} does not answer as an S3 server; {self._remedy}"
            )
        return bounded


class _BoundedResponse(AWSResponse):  # type: ignore[misc]  # botocore has no types
    def __init__(self, source: str, response: AWSResponse) -> None:
        super().__init__(response.url, response.status_code, response.headers, response.raw)
        self._source = source

    @cached_property
    def content(self) -> bytes:
        """The whole body, which botocore reads unless it is an object's."""
        try:
            return read_metadata(self._source, iter(lambda: self.raw.read1(CHUNK_BYTES), b""))
        except HTTPError as error:
            raise HTTPClientError(error=error) from error
