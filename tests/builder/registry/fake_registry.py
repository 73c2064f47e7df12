"""A registry in this process, over real HTTP, that misbehaves as told.

It speaks the part of the distribution specification that images need, and keeps all in memory.
"""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from fake_login import Login, NoLogin
from fake_wire import Handler, Server


@dataclass(frozen=True)
class Request:
    """What arrived. ``path`` and ``query`` are apart; ``body`` is None if a fault cut it."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """What is answered; Content-Length is added."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Fault:
    """Something that goes wrong ``times`` times, after ``skip`` fitting requests went well.

    ``cut``: the connection ends before the request is handled, in the midst of its body or of the
    answer's, or afterwards, with the answer lost.
    """

    method: str = ""
    part: str = ""
    skip: int = 0
    times: int = 1
    reply: Reply | None = None
    change: Callable[[Reply], Reply] | None = None
    cut: Literal["", "before", "in request", "in reply", "after"] = ""

    def strikes(self, method: str, path: str) -> bool:
        """Tell whether it is this request that goes wrong."""
        if self.method not in ("", method) or self.part not in path or self.times == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


def error(status: int, code: str, **headers: str) -> Reply:
    """Make an answer with one of the specification's codes."""
    body = json.dumps({"errors": [{"code": code, "message": code.lower().replace("_", " ")}]})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"Content-Type": "application/json", **named}, body.encode())


class FakeRegistry:
    """Use it with `with`. ``strict`` refuses manifests whose parts are missing, as real ones do."""

    def __init__(self, login: Login | None = None, strict: bool = True, mounts: bool = True):
        self.login = login or NoLogin()
        self.strict = strict
        self.mounts = mounts
        self.redirects = False
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.content: dict[str, bytes] = {}
        self.blobs: dict[str, set[str]] = defaultdict(set)
        self.manifests: dict[str, dict[str, tuple[str, bytes]]] = defaultdict(dict)
        self.tags: dict[str, dict[str, str]] = defaultdict(dict)
        self.ever_incomplete: list[str] = []
        self._uploads: dict[str, str] = {}
        self._lock = threading.RLock()
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.registry = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def methods(self, part: str = "") -> list[str]:
        """Return the methods of the requests so far whose path has a part."""
        return [request.method for request in self.requests if part in request.path]

    def fault_for(self, method: str, path: str) -> Fault | None:
        """Return what goes wrong with a request."""
        with self._lock:
            return next((fault for fault in self.faults if fault.strikes(method, path)), None)

    def answer(self, request: Request) -> Reply:
        """Do what a request asks for."""
        with self._lock:
            self.requests.append(request)
            reply = self._login(request) or self._route(request)
            self.ever_incomplete += self.incomplete_tags()
            return reply

    def incomplete_tags(self) -> list[str]:
        """Return the tags that lead to something that is not there whole."""
        return [
            f"{repository}:{tag}"
            for repository, tags in self.tags.items()
            for tag, digest in tags.items()
            if not self._is_whole(repository, digest)
        ]

    def _login(self, request: Request) -> Reply | None:
        refused = self.login.answer(request.method, request.path, request.query, request)
        return None if refused is None else Reply(*refused)

    def _is_whole(self, repository: str, digest: str) -> bool:
        if digest not in self.manifests[repository]:
            return False
        document = json.loads(self.manifests[repository][digest][1])
        inner = [entry["digest"] for entry in document.get("manifests", [])]
        return not self._missing(repository, document) and all(
            self._is_whole(repository, one) for one in inner
        )

    def _missing(self, repository: str, document: Mapping[str, Any]) -> list[str]:
        blobs = [*document.get("layers", [])]
        if "config" in document:
            blobs.append(document["config"])
        missing = [b["digest"] for b in blobs if b["digest"] not in self.blobs[repository]]
        inner = [entry["digest"] for entry in document.get("manifests", [])]
        return missing + [one for one in inner if one not in self.manifests[repository]]

    def _route(self, request: Request) -> Reply:
        if request.path.startswith("/storage/"):
            return Reply(200, {}, self.content[request.path.removeprefix("/storage/")])
        path = request.path.removeprefix("/v2/")
        if "/blobs/uploads/" in path:
            return self._upload(request, *path.split("/blobs/uploads/"))
        if "/blobs/" in path:
            return self._blob(request, *path.split("/blobs/"))
        if "/manifests/" in path:
            return self._manifest(request, *path.split("/manifests/"))
        return Reply(200) if path == "" else error(404, "NAME_UNKNOWN")

    def _upload(self, request: Request, repository: str, session: str) -> Reply:
        if request.method == "POST":
            return self._start_upload(request, repository)
        if session not in self._uploads:
            return error(404, "BLOB_UPLOAD_UNKNOWN")
        digest = request.query["digest"]
        if f"sha256:{hashlib.sha256(request.body).hexdigest()}" != digest:
            return error(400, "DIGEST_INVALID")
        del self._uploads[session]
        self.content[digest] = request.body
        self.blobs[repository].add(digest)
        return Reply(201, {"Docker-Content-Digest": digest})

    def _start_upload(self, request: Request, repository: str) -> Reply:
        digest = request.query.get("mount", "")
        if self.mounts and digest and digest in self.blobs[request.query["from"]]:
            self.blobs[repository].add(digest)
            return Reply(201, {"Docker-Content-Digest": digest})
        session = uuid.uuid4().hex
        self._uploads[session] = repository
        # Real ones sign their state into the query, and it has to come back as it is.
        place = f"/v2/{repository}/blobs/uploads/{session}?_state=a%2Bb%3D"
        return Reply(202, {"Location": place})

    def _blob(self, request: Request, repository: str, digest: str) -> Reply:
        if digest not in self.blobs[repository]:
            return error(404, "BLOB_UNKNOWN")
        if self.redirects and request.method == "GET":
            return Reply(307, {"Location": f"http://localhost:{self.port}/storage/{digest}"})
        content = self.content[digest]
        wanted = request.headers.get("range", "")
        if wanted:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            place = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return Reply(206, {"Content-Range": place}, content[start:])
        return Reply(200, {"Docker-Content-Digest": digest}, content)

    def _manifest(self, request: Request, repository: str, name: str) -> Reply:
        if request.method == "PUT":
            return self._put_manifest(request, repository, name)
        digest = self.tags[repository].get(name, name)
        if digest not in self.manifests[repository]:
            return error(404, "MANIFEST_UNKNOWN")
        media_type, content = self.manifests[repository][digest]
        headers = {"Content-Type": media_type, "Docker-Content-Digest": digest}
        return Reply(200, headers, content)

    def _put_manifest(self, request: Request, repository: str, name: str) -> Reply:
        if self.strict and self._missing(repository, json.loads(request.body)):
            return error(400, "MANIFEST_BLOB_UNKNOWN")
        digest = f"sha256:{hashlib.sha256(request.body).hexdigest()}"
        kept = (request.headers["content-type"], request.body)
        self.manifests[repository][digest] = kept
        if not name.startswith("sha256:"):
            self.tags[repository][name] = digest
        return Reply(201, {"Docker-Content-Digest": digest})


def with_digest(reply: Reply, digest: str) -> Reply:
    """Let an answer name another digest."""
    return replace(reply, headers={**reply.headers, "Docker-Content-Digest": digest})
