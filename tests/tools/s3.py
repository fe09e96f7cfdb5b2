"""versitygw, a real S3 server over a directory, and the bucket of adapters that its owner keeps there."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from botocore.session import Session

from boardroom.api.adapter import S3Source
from boardroom.cli.processes import free_port
from tools.programs import tool
from tools.waiting import until

KEYS = {"AWS_ACCESS_KEY_ID": "board", "AWS_SECRET_ACCESS_KEY": "only the test knows"}
"""The owner's, by the names that a board's Secret has for them."""
ROOT_KEYS = {"ROOT_ACCESS_KEY": "AWS_ACCESS_KEY_ID", "ROOT_SECRET_KEY": "AWS_SECRET_ACCESS_KEY"}
"""The environment by which the server takes them."""
BUCKET = "lora"


@dataclass(frozen=True)
class Bucket:
    """The bucket by its owner's client; `url` is where this machine reaches the server."""

    url: str
    client: Any

    def put(self, adapter: Path, prefix: str, **options: Any) -> None:
        """An adapter's files, below a prefix."""
        for path in adapter.iterdir():
            self.write(f"{prefix}/{path.name}", path.read_bytes(), **options)

    def write(self, key: str, body: bytes, **options: Any) -> None:
        """One object."""
        self.client.put_object(Bucket=BUCKET, Key=key, Body=body, **options)

    def source(self, prefix: str = "ceo/1", bucket: str = BUCKET) -> S3Source:
        """What a member's spec.adapter.s3 says."""
        return S3Source(bucket=bucket, prefix=prefix, endpoint=self.url)


def command(program: str, listen: str, directory: str) -> list[str]:
    """The server, wherever it runs; its environment has ROOT_KEYS."""
    return [program, "--port", listen, "--quiet", "posix", directory]


@contextmanager
def s3_server(directory: Path) -> Iterator[str]:
    """The server on this machine; its URL once it answers."""
    port = free_port()
    argv = command(str(tool("versitygw")), f"127.0.0.1:{port}", str(directory))
    keys = {name: KEYS[key] for name, key in ROOT_KEYS.items()}
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, env=os.environ | keys) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            until("versitygw listens", lambda: _listens(url), 30)
            yield url
        finally:
            server.terminate()


@contextmanager
def owned_bucket(url: str) -> Iterator[Bucket]:
    """The owner's bucket at a server that is reached by this URL, made where there is none."""
    client = Session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )
    try:
        if not any(bucket["Name"] == BUCKET for bucket in client.list_buckets()["Buckets"]):
            client.create_bucket(Bucket=BUCKET)
        yield Bucket(url, client)
    finally:
        client.close()


def _listens(url: str) -> bool:
    try:
        httpx.get(url, trust_env=False)
    except httpx.TransportError:
        return False
    return True
