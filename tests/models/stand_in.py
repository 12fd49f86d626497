"""The few calls of the Hub's API that push and pull use, on this machine's loopback, with models kept in memory."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_stand_in"
COMMIT = "c0ffee" + 34 * "0"


class StandIn(ThreadingHTTPServer):
    """``models``: "owner/name" -> path -> bytes. ``private``: ids of private models."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.models: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.blobs: dict[str, bytes] = {}
        self.calls: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def hub() -> Generator[StandIn]:
    server = StandIn()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class Handler(BaseHTTPRequestHandler):
    server: StandIn  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        path, data = self._begin()
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            return self._json({"error": "Invalid credentials in Authorization header"}, 401)
        if path == "/api/repos/create":
            asked = json.loads(data)
            repository = f"{asked['organization']}/{asked['name']}"
            if repository.startswith("other/"):
                return self._json({"error": "You don't have the rights to create a model under other"}, 403)
            self.server.models.setdefault(repository, {})
            if asked.get("visibility") == "private" or asked.get("private"):
                self.server.private.add(repository)
            return self._json({"url": f"{self.server.url}/{repository}"})
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if path.endswith("/preupload/main"):
            modes = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                    "oid": None,
                }
                for file in json.loads(data)["files"]
            ]
            return self._json({"files": modes})
        if path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                {
                    "oid": found["oid"],
                    "size": found["size"],
                    "actions": {"upload": {"href": f"{self.server.url}/blob/{found['oid']}"}},
                }
                for found in json.loads(data)["objects"]
            ]
            return self._json({"transfer": "basic", "objects": objects})
        if path.endswith("/commit/main"):
            repository = path.removeprefix("/api/models/").removesuffix("/commit/main")
            for line in map(json.loads, data.splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    self.server.models[repository][value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    self.server.models[repository][value["path"]] = self.server.blobs[value["oid"]]
            return self._json(
                {"commitUrl": f"{self.server.url}/{repository}/commit/{COMMIT}", "commitOid": COMMIT}
            )
        return self._json({"error": f"not in the stand-in: POST {path}"}, 404)

    def do_PUT(self) -> None:
        path, data = self._begin()
        oid = path.removeprefix("/blob/")
        assert hashlib.sha256(data).hexdigest() == oid
        self.server.blobs[oid] = data
        self._send(b"", 200)

    def do_HEAD(self) -> None:
        self._resolve()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        for repository, files in self.server.models.items():
            if path in (f"/api/models/{repository}", f"/api/models/{repository}/revision/{COMMIT}"):
                self._begin()
                siblings = [{"rfilename": name} for name in files]
                return self._json({"id": repository, "sha": COMMIT, "siblings": siblings, "private": False})
            if path.startswith(f"/api/models/{repository}/tree/"):
                self._begin()
                tree = [
                    {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                    for name, data in files.items()
                ]
                return self._json(tree)
        return self._resolve()

    def _resolve(self) -> None:
        path, _ = self._begin()
        repository, _, rest = path.lstrip("/").partition("/resolve/")
        if repository not in self.server.models:
            return self._json({"error": "Repository not found"}, 404, {"x-error-code": "RepoNotFound"})
        revision, _, name = rest.partition("/")
        if revision not in ("main", COMMIT):
            return self._json({"error": "no revision"}, 404, {"x-error-code": "RevisionNotFound"})
        files = self.server.models[repository]
        if name not in files:
            return self._json(
                {"error": "no entry"}, 404, {"x-error-code": "EntryNotFound", "x-repo-commit": COMMIT}
            )
        headers = {"x-repo-commit": COMMIT, "etag": f'"{hashlib.sha256(files[name]).hexdigest()}"'}
        return self._send(files[name], 200, headers)

    def _begin(self) -> tuple[str, bytes]:
        path = unquote(urlsplit(self.path).path)
        self.server.calls.append(f"{self.command} {path}")
        return path, self.rfile.read(int(self.headers.get("content-length") or 0))

    def _json(self, value: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(
            json.dumps(value).encode(), status, {"content-type": "application/json", **(headers or {})}
        )

    def _send(self, data: bytes, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
