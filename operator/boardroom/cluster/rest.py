"""A minimal Kubernetes client for starting a cluster: JSON over one connection per call."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import tempfile
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

if TYPE_CHECKING:
    from pathlib import Path

_TIMEOUT_SECONDS = 10


class RestError(RuntimeError):
    """The API server refused a request; `status` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Rest:
    """Calls one API server as the user of a kubeconfig of ours, which holds a client certificate."""

    def __init__(self, kubeconfig: Path) -> None:
        """Read the kubeconfig. Raises OSError."""
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.server: str = cluster["server"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._trust = ssl.create_default_context(cadata=authority)
        # The ssl module reads a client's key from files only.
        with tempfile.NamedTemporaryFile() as pair:
            for part in ("client-certificate-data", "client-key-data"):
                pair.write(base64.b64decode(user[part]))
            pair.flush()
            self._trust.load_cert_chain(pair.name)

    def get(self, path: str) -> Any:
        """Return the decoded response of a GET. Raises RestError, or OSError if the server is unreachable."""
        return self._call("GET", path, None, "application/json")

    def apply(self, path: str, manifest: Any) -> None:
        """Create or update one object by server-side apply."""
        self._call(
            "PATCH", f"{path}?fieldManager=boardroom-cluster&force=true", manifest, "application/apply-patch+yaml"
        )

    def merge(self, path: str, patch: Any) -> None:
        """Change one object or subresource by a JSON merge patch."""
        self._call("PATCH", path, patch, "application/merge-patch+json")

    def delete(self, path: str) -> None:
        """Delete one object. A missing one counts as deleted."""
        try:
            self._call("DELETE", path, None, "application/json")
        except RestError as error:
            if error.status != http.HTTPStatus.NOT_FOUND:
                raise

    def answers(self, path: str = "/readyz") -> bool:
        """Return whether the server answers ok."""
        try:
            self.get(path)
        except (OSError, http.client.HTTPException, RestError):
            return False
        return True

    def _call(self, method: str, path: str, body: Any, content_type: str) -> Any:
        where = urlsplit(self.server)
        connection = http.client.HTTPSConnection(
            where.hostname or "", where.port, timeout=_TIMEOUT_SECONDS, context=self._trust
        )
        with closing(connection):
            headers = {"Content-Type": content_type, "User-Agent": "boardroom-cluster"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read()
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise RestError(answer.status, f"{method} {path}: {answer.status} {content.decode(errors='replace')[:500]}")
        return json.loads(content) if answer.headers.get_content_type() == "application/json" else content.decode()
