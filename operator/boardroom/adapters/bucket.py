"""Fetches adapters from a prefix of an S3 bucket."""

import base64
import hashlib
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from typing import Any, Final

from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.session import Session

from boardroom.adapters.bounded import BoundedSender
from boardroom.adapters.credentials import Credentials
from boardroom.adapters.problem import ProblemError
from boardroom.adapters.remote import (
    CHUNK_BYTES,
    Checksum,
    Manifest,
    RemoteFile,
    adapter_file_names,
    in_parentheses,
    manifest,
)
from boardroom.api.adapter import S3Source

_REGION: Final = "us-east-1"
_MD5: Final = re.compile(r"[0-9a-fA-F]{32}")
_DENIED: Final = frozenset({"ExpiredToken", "InvalidToken", "InvalidAccessKeyId", "XAdminUserNotFound"})
"""Error codes that some servers send with a status other than 401 or 403."""
_LATE: Final = frozenset({"RequestTimeTooSkewed"})
_ABSENT: Final = frozenset({"NoSuchBucket", "NoSuchKey", "404"})
_CHANGED: Final = frozenset({"PreconditionFailed", "412"})
_MAX_LISTED: Final = 1000
"""S3's limit of objects in one listing."""
_REMEDY: Final = (
    "spec.adapter.s3.endpoint must be the URL of an S3 API, not of a console or a website (MinIO: port 9000, not 9001)"
)


class BucketRemote:
    """The objects directly below one prefix."""

    def __init__(self, source: S3Source, credentials: Credentials) -> None:
        self._source = source
        self.source = source.key
        self._client = _client(source, credentials)
        self._anonymous = "AWS_ACCESS_KEY_ID" not in credentials.values

    def resolve(self) -> Manifest:
        """Return the present files; the revision is a hash over their names, sizes and entity tags."""
        folder = self._source.folder
        with self._explained():
            page = self._client.list_objects_v2(Bucket=self._source.bucket, Prefix=folder, Delimiter="/")
            objects = {item["Key"].removeprefix(folder): item for item in page.get("Contents", ())}
            # Objects that are not listed could be parts of the weights.
            if page.get("IsTruncated") or len(objects) > _MAX_LISTED:
                raise ProblemError(
                    "AdapterInvalid",
                    f"{self.source}: holds more than {min(len(objects), _MAX_LISTED)} objects; spec.adapter.s3.prefix "
                    "must be the folder of one adapter",
                )
            files = [self._file(name, objects[name]) for name in adapter_file_names(self.source, objects)]
        text = "\n".join(sorted(f"{file.name}\0{file.size}\0{file.version}" for file in files))
        return manifest(self.source, hashlib.sha256(text.encode()).hexdigest(), files, list(objects))

    @contextmanager
    def open(self, manifest: Manifest, file: RemoteFile, offset: int) -> Iterator[Iterator[bytes]]:  # noqa: ARG002 (the objects are known by their tags)
        """Stream the object's bytes; raises ProblemError if the object has changed since it was listed."""
        with self._explained():
            response = self._client.get_object(
                Bucket=self._source.bucket,
                Key=self._source.folder + file.name,
                Range=f"bytes={offset}-",
                IfMatch=file.version,
            )
            with closing(response["Body"]) as body:
                yield body.iter_chunks(CHUNK_BYTES)

    def _file(self, name: str, item: dict[str, Any]) -> RemoteFile:
        """Return the file with the server's best checksum: sha256 of the whole object, else an md5 as entity tag.

        The tag is not an md5 if KMS or a customer's key encrypts the object, and only HEAD shows that.
        """
        tag: str = item["ETag"]
        head = self._client.head_object(Bucket=self._source.bucket, Key=item["Key"], ChecksumMode="ENABLED")
        sha256 = head.get("ChecksumSHA256", "")
        checksum = None
        if sha256 and "-" not in sha256 and head.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
            checksum = Checksum("sha256", base64.b64decode(sha256).hex())
        elif _MD5.fullmatch(tag.strip('"')) and head.get("ServerSideEncryption", "AES256") == "AES256":
            checksum = Checksum("md5", tag.strip('"').lower())
        return RemoteFile(name, int(item["Size"]), tag, checksum)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        key = self.source
        try:
            yield
        except ClientError as error:
            raise _problem(key, error, anonymous=self._anonymous) from error
        except (BotoCoreError, HTTPClientError, ValueError) as error:
            raise ProblemError("DownloadFailed", f"{key}: {type(error).__name__}: {error}") from error


def _client(source: S3Source, credentials: Credentials) -> Any:
    """Return a client that signs with the Secret's keys only, never with credentials of the pod or node."""
    values = credentials.values
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 2},
        s3={"addressing_style": "path" if source.endpoint else "auto"},
        signature_version=None if "AWS_ACCESS_KEY_ID" in values else UNSIGNED,
    )
    session = Session()
    client = session.create_client(
        "s3",
        region_name=source.region or values.get("AWS_REGION", _REGION),
        endpoint_url=source.endpoint,
        aws_access_key_id=values.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=values.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=values.get("AWS_SESSION_TOKEN"),
        config=config,
    )
    client.meta.events.register("before-send.s3", BoundedSender(source.key, client.meta.endpoint_url, _REMEDY, session))
    return client


def _problem(key: str, error: ClientError, *, anonymous: bool) -> ProblemError:
    answer = error.response.get("Error", {})
    code, words = str(answer.get("Code", "")), in_parentheses(str(answer.get("Message", "")))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code in _LATE:
        return ProblemError("DownloadFailed", f"{key}: {code}{words}: set the clock of LoRAX's node")
    if code in _DENIED or status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        which = "AWS_ACCESS_KEY_ID is missing" if anonymous else "the server rejects the keys"
        return ProblemError(
            "CredentialsMissing",
            f"{key}: {code}{words}: {which}; put AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (of temporary keys "
            "AWS_SESSION_TOKEN too) that may list and read it into the Secret of the Boardroom's "
            "spec.adapters.credentialsSecretRef",
        )
    if code in _ABSENT:
        return ProblemError("AdapterMissing", f"{key}: {code}{words}; correct spec.adapter.s3, or upload the adapter")
    if code in _CHANGED:
        return ProblemError("DownloadFailed", f"{key}: it changed while it was read; give each version its own prefix")
    return ProblemError("DownloadFailed", f"{key}: {code}{words}")
