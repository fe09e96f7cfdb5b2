"""A server that answers as huggingface.co does, for one repository, with faults to order.

Shapes read off the hub: /api/models/{repo}/revision/{rev}?blobs=true lists siblings with size, blobId and lfs;
/{repo}/resolve/{commit}/{file} answers small files itself and sends large (LFS) ones on to a storage address, with
X-Repo-Commit, X-Linked-Etag and X-Linked-Size; errors carry X-Error-Code and X-Error-Message.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

REPO = "board/ceo-lora"


@dataclass
class Hub:
    """`files` by name; `token` makes the repository private, `gated` keeps its owner out too."""

    files: dict[str, bytes]
    token: str | None = None
    gated: bool = False
    folder: str = ""
    """Where in the repository the files are: empty, or with a slash at its end."""
    sizes_in_lfs: bool = False
    """A large file's size stands in its lfs only."""
    upper_case: bool = False
    """Checksums are written in capitals."""
    expired: int = 0
    """So many links to the storage are no longer valid when they are followed."""
    commit: str = "a" * 40
    cut_after: int | None = None
    """The storage closes the connection after so many bytes of an answer."""
    stall_after: int | None = None
    """The storage sends no more after so many bytes of an answer until `going` is set."""
    going: asyncio.Event = field(default_factory=asyncio.Event)
    corrupt: bool = False
    knows_ranges: bool = True
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Method and path, Range, Authorization."""

    @classmethod
    def of(cls, directory: Path, **options: Any) -> "Hub":
        return cls({path.name: path.read_bytes() for path in directory.iterdir()}, **options)

    @property
    def app(self) -> Starlette:
        routes = [
            Route("/api/models/{owner}/{name}/revision/{revision:path}", self._info),
            Route("/{owner}/{name}/resolve/{commit}/{file:path}", self._resolve),
            Route("/storage/{file}", self._storage),
        ]
        return Starlette(routes=routes)

    def ranges(self) -> list[str]:
        return [spec for path, spec, _ in self.requests if path.startswith("/storage/")]

    async def _info(self, request: Request) -> Response:
        self._note(request)
        if refused := self._refused(request):
            return refused
        if request.path_params["revision"] not in ("main", self.commit):
            return _error(404, "RevisionNotFound", "Invalid rev id")
        siblings = [
            self._sibling(name)
            for name in [
                *(self.folder + name for name in self.files),
                "README.md",
                "checkpoint-1/adapter_model.safetensors",
            ]
        ]
        return JSONResponse({"id": REPO, "modelId": REPO, "sha": self.commit, "siblings": siblings})

    async def _resolve(self, request: Request) -> Response:
        self._note(request)
        if refused := self._refused(request):
            return refused
        name = request.path_params["file"].removeprefix(self.folder)
        headers = {"x-repo-commit": self.commit, "accept-ranges": "bytes"}
        if name.endswith(".safetensors"):
            linked = {"x-linked-etag": f'"{_sha256(self.files[name])}"', "x-linked-size": str(len(self.files[name]))}
            return RedirectResponse(f"/storage/{name}", 302, headers | linked)
        return self._bytes(request, self.files[name], headers)

    async def _storage(self, request: Request) -> Response:
        self._note(request)
        if self.expired:
            self.expired -= 1
            said = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
            return Response(said, 403, media_type="application/xml")
        content = self.files[request.path_params["file"]]
        return self._bytes(request, bytes(len(content)) if self.corrupt else content, {}, faulty=True)

    def _bytes(self, request: Request, content: bytes, headers: dict[str, str], *, faulty: bool = False) -> Response:
        start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        status = 206 if self.knows_ranges and "range" in request.headers else 200
        body = content[start:] if status == 206 else content
        headers = headers | {"content-length": str(len(body))}

        async def pieces() -> AsyncIterator[bytes]:
            sent = 0
            for begin in range(0, len(body), 4096):
                if faulty and self.cut_after is not None and sent >= self.cut_after:
                    raise ConnectionError("the test pulls the plug")
                if faulty and self.stall_after is not None and sent >= self.stall_after:
                    await self.going.wait()
                yield body[begin : begin + 4096]
                sent += 4096

        return StreamingResponse(pieces(), status, headers)

    def _sibling(self, name: str) -> dict[str, object]:
        content = self.files.get(name.removeprefix(self.folder), b"#")
        blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
        entry: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": self._case(blob)}
        if name.endswith((".safetensors", ".bin")):
            entry["lfs"] = {"size": len(content), "sha256": self._case(_sha256(content)), "pointerSize": 134}
            if self.sizes_in_lfs:
                del entry["size"]
        return entry

    def _case(self, checksum: str) -> str:
        return checksum.upper() if self.upper_case else checksum

    def _refused(self, request: Request) -> Response | None:
        if f"{request.path_params['owner']}/{request.path_params['name']}" != REPO:
            status = 404 if "authorization" in request.headers else 401
            return _error(status, "RepoNotFound", "Repository not found")
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return _error(401, "RepoNotFound", "Repository not found")
        if self.gated:
            return _error(
                403, "GatedRepo", f"Access to model {REPO} is restricted and you are not in the authorized list."
            )
        return None

    def _note(self, request: Request) -> None:
        self.requests.append((request.url.path, request.headers.get("range", ""), request.headers.get("authorization")))


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": message}, status, {"x-error-code": code, "x-error-message": message})


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
