"""A Hugging Face Hub in memory: the few endpoints its client calls for models, over HTTP."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_stand_in"
LARGE = (".npz", ".skops", ".ubj", ".safetensors")


@dataclass
class Repository:
    """Files by commit, commits by branch; `sizes` and `send` lie where a test wants them to."""

    private: bool = False
    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    send: dict[str, Callable[[BaseHTTPRequestHandler], Any]] = field(default_factory=dict)

    def commit(self, branch: str, files: dict[str, bytes]) -> str:
        whole = self.commits.get(self.branches.get(branch, ""), {}) | files
        name = hashlib.sha1(repr(sorted(whole.items())).encode()).hexdigest()
        self.commits[name] = whole
        self.branches[branch] = name
        return name


class StandIn(ThreadingHTTPServer):
    """The server: its repositories, the large objects, and what was asked of it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self, content: Any = None, status: int = 200, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content or {}).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while length := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(length))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def route(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append(f"{self.command} {path}")
        body = self.body()
        for method, pattern, act in ROUTES:
            found = re.fullmatch(pattern, path)
            if method == self.command and found:
                act(self, body, *found.groups())
                return
        self.answer({"error": "no such endpoint"}, 404)

    do_GET = do_POST = do_PUT = route  # noqa: N815 (http.server's own names)

    @property
    def known(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def repository(self, name: str) -> Repository | None:
        found = self.server.repositories.get(name)
        if found is None or (found.private and not self.known):
            self.answer({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
            return None
        return found

    def create(self, body: bytes) -> None:
        if not self.known:
            self.answer({"error": "Invalid username or password."}, 401)
            return
        wanted = json.loads(body)
        name = f"{wanted['organization']}/{wanted['name']}"
        status = 409 if name in self.server.repositories else 200
        private = wanted.get("visibility") == "private"
        self.server.repositories.setdefault(name, Repository(private))
        self.answer({"url": f"{self.server.url}/{name}"}, status)

    def branch(self, _: bytes, name: str, branch: str) -> None:
        if repository := self.repository(name):
            repository.branches.setdefault(branch, repository.branches.get("main", ""))
            self.answer()

    def preupload(self, body: bytes, name: str, revision: str) -> None:
        if not self.known:
            self.answer({"error": "Forbidden"}, 403)
            return
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                "shouldIgnore": False,
            }
            for file in json.loads(body)["files"]
        ]
        self.answer({"files": files})

    def batch(self, body: bytes, name: str) -> None:
        objects = [
            one | {"actions": {"upload": {"href": f"{self.server.url}/lfs/{one['oid']}"}}}
            for one in json.loads(body)["objects"]
        ]
        self.answer({"transfer": "basic", "objects": objects})

    def store(self, body: bytes, oid: str) -> None:
        fits = hashlib.sha256(body).hexdigest() == oid
        self.server.objects[oid] = body
        self.answer(status=200 if fits else 400)

    def commit(self, body: bytes, name: str, revision: str) -> None:
        repository = self.repository(name)
        if repository is None:
            return
        files = {}
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.server.objects[value["oid"]]
        made = repository.commit(revision, files)
        url = f"{self.server.url}/{name}/commit/{made}"
        self.answer({"commitUrl": url, "commitOid": made, "success": True})

    def describe(self, _: bytes, name: str, revision: str) -> None:
        repository = self.repository(name)
        if repository is None:
            return
        commit = repository.branches.get(revision, revision)
        if commit not in repository.commits:
            self.answer({"error": "no revision"}, 404, X_Error_Code="RevisionNotFound")
            return
        files = [
            {"rfilename": file, "size": repository.sizes.get(file, len(content))}
            for file, content in repository.commits[commit].items()
        ]
        self.answer({"id": name, "sha": commit, "siblings": files})

    def resolve(self, _: bytes, name: str, commit: str, file: str) -> None:
        repository = self.repository(name)
        if repository is None:
            return
        if file in repository.send:
            repository.send[file](self)
        elif file.endswith(LARGE):
            url = f"{self.server.url}/stored/{name}/{commit}/{file}"
            self.answer(b"", 302, Location=url)
        else:
            self.answer(repository.commits[commit][file])

    def stored(self, _: bytes, name: str, commit: str, file: str) -> None:
        self.answer(self.server.repositories[name].commits[commit][file])


REPO = "([^/]+/[^/]+)"
ROUTES: tuple[tuple[str, str, Callable[..., None]], ...] = (
    ("POST", "/api/repos/create", Handler.create),
    ("POST", "/api/validate-yaml", lambda handler, _: handler.answer()),
    ("POST", f"/api/models/{REPO}/branch/(.+)", Handler.branch),
    ("POST", f"/api/models/{REPO}/preupload/(.+)", Handler.preupload),
    ("POST", rf"/{REPO}\.git/info/lfs/objects/batch", Handler.batch),
    ("PUT", "/lfs/(.+)", Handler.store),
    ("POST", f"/api/models/{REPO}/commit/(.+)", Handler.commit),
    ("GET", f"/api/models/{REPO}/revision/(.+)", Handler.describe),
    ("GET", f"/{REPO}/resolve/([^/]+)/(.+)", Handler.resolve),
    ("GET", f"/stored/{REPO}/([^/]+)/(.+)", Handler.stored),
)


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """The server, listening while the block runs."""
    with StandIn() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
