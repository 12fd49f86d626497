"""What stands before every route: which hosts and origins may ask, the token, and the headers of every answer."""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from affuse.serving.problems import MEDIA_TYPE, details

LOOPBACK = ("127.0.0.1", "localhost", "::1")
OPEN_PATHS = (
    "/healthz",
    "/readyz",
)  # without a token, as the page's own files: nothing of a model is in them
SUBPROTOCOL = "affuse"  # of the WebSocket; a browser sends its token as a second one, ``bearer.TOKEN``
_SAFE = ("GET", "HEAD", "OPTIONS")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=(self), geolocation=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Refuses what does not come from where it may, and adds the headers of ``HEADERS``.

    Args:
        app: Behind it.
        hosts: Names that the service is reached by, beside the loopback's; "*": any.
        token: That every request must bear; None: none.
        root_path: Below which a proxy shows the service.
        open_prefixes: More paths without a token: those of the page's files.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Collection[str] = (),
        token: str | None = None,
        root_path: str = "",
        open_prefixes: Collection[str] = (),
    ) -> None:
        self.app, self.token, self.root_path = app, token, root_path
        self.hosts = {host.lower().strip("[]") for host in (*LOOPBACK, *hosts)}
        self.open_prefixes = tuple(open_prefixes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As every ASGI application."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        if self.root_path:  # whether or not the proxy has taken it off the path, links have it
            scope["root_path"] = self.root_path
        headers = Headers(scope=scope)
        refused = self._refused(scope, headers)
        if refused is None:
            await self.app(scope, receive, _with_headers(send))
        elif scope["type"] == "http":
            await _answer(_with_headers(send), *refused)
        else:
            await receive()
            if "websocket.http.response" in (scope.get("extensions") or {}):
                await _answer(_with_headers(send), *refused, prefix="websocket.")
            else:
                await send({"type": "websocket.close", "code": 1008, "reason": refused[1][:120]})

    def _refused(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Status and sentence, or None."""
        host = headers.get("Host", "")
        name = _host_name(host)
        if "*" not in self.hosts and name not in self.hosts and not _is_own_number(name, scope):
            return (
                421,
                f"This service is not called {name or 'that'}; start it with --allow-host NAME to reach it so.",
            )
        changing = scope["type"] == "websocket" or scope["method"] not in _SAFE
        if changing and not self._own_origin(headers, host):
            return 403, "A page of another site may not use this service."
        if self.token is not None and not self._is_open(scope):
            given = _bearer(headers)
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                return 401, "This service needs its token; send it in the header Authorization: Bearer TOKEN."
        return None

    def _own_origin(self, headers: Headers, host: str) -> bool:
        """Whether a page sent it, the page is ours. Programs send no Origin."""
        if headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
            return False
        origin = headers.get("Origin")
        if origin is None:
            return True
        try:
            found = urlsplit(origin)
        except ValueError:  # no address at all
            return False
        # behind a proxy that sets its own Host the page's origin is a name that was allowed
        named = (found.hostname or "") in self.hosts - set(LOOPBACK) - {"*"}
        return found.scheme in ("http", "https") and (found.netloc.lower() == host.lower() or named)

    def _is_open(self, scope: Scope) -> bool:
        path = scope["path"].removeprefix(self.root_path)
        return scope["type"] == "http" and (
            path in OPEN_PATHS or path.startswith(self.open_prefixes) or path in ("", "/")
        )


def _host_name(host: str) -> str:
    """Without port and brackets, lower case; "" where it is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_own_number(name: str, scope: Scope) -> bool:
    """Whether it is the numeric address that the connection came to: no other site can bend a name to be one."""
    try:
        return ipaddress.ip_address(name) == ipaddress.ip_address((scope.get("server") or ("",))[0])
    except ValueError:
        return False


def _bearer(headers: Headers) -> str:
    kind, _, token = headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return token.strip()
    for name in headers.get("Sec-WebSocket-Protocol", "").split(","):
        if name.strip().startswith("bearer."):
            return name.strip().removeprefix("bearer.")
    return ""


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sent


async def _answer(send: Send, status: int, sentence: str, prefix: str = "") -> None:
    """``prefix``: of the messages that answer the request for a WebSocket."""
    body = json.dumps(details(status, sentence)).encode()
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    # what was sent with it is not read: the connection ends here
    headers.append((b"connection", b"close"))
    await send({"type": f"{prefix}http.response.start", "status": status, "headers": headers})
    await send({"type": f"{prefix}http.response.body", "body": body})
