"""``affuse serve``: the application behind uvicorn, from its socket to its end."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from affuse.errors import AffuseError, argument
from affuse.names import quote
from affuse.parts.registry import unknown
from affuse.serving.limits import Limits

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

    from affuse.serving.draining import DrainingServer
    from affuse.serving.engine import Engine

BACKLOG = 512  # connections that wait to be accepted
_ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,}")


def check_address(host: str, token: str | None, no_token: bool) -> str:
    """What is to be said loudly about an address without a token, or "".

    Raises:
        AffuseError: Another address than the loopback's without a token and without saying so, or a token that is too
            short or has other characters than a header may hold.
    """
    if token is not None and not _TOKEN.fullmatch(token):
        raise AffuseError(
            f"{argument('token')} takes at least 16 letters, digits or any of . _ ~ -, so that nobody guesses it; make "
            "one with: python -c 'import secrets; print(secrets.token_urlsafe(24))'."
        )
    if _is_loopback(host) or token is not None:
        return ""
    if not no_token:
        raise AffuseError(
            f"{argument('host')} {host} opens the service to other machines; give it a {argument('token')} (or "
            f"$AFFUSE_TOKEN), or say {argument('no_token', True)} if everybody who reaches it may use it."
        )
    return (
        f"Everybody who reaches {host} can use this service and sees its models: it has no token. Nothing is "
        "encrypted; put a proxy with TLS before it."
    )


def checked_root_path(path: str) -> str:
    """The path below which a proxy shows the service, "" or /as/this.

    Raises:
        AffuseError: It is no such path.

    Examples:
        >>> checked_root_path("/affuse/")
        '/affuse'
    """
    if path and not _ROOT_PATH.fullmatch(path):
        raise AffuseError(f"{argument('root_path')} takes a path such as /affuse, not {quote(path)}.")
    return path.rstrip("/")


def check_installed() -> None:
    """That the packages of the service are here.

    Raises:
        AffuseError: One is missing.
    """
    for package in ("fastapi", "uvicorn", "python_multipart", "prometheus_client", "websockets"):
        if find_spec(package) is None:
            raise AffuseError(f"affuse serve needs the package {package}: pip install 'affuse[serve]'.")


def chosen_limits(changes: Mapping[str, float]) -> Limits:
    """The limits with some of them changed.

    Raises:
        AffuseError: There is no such limit, or it takes another value.
    """
    for name in changes:
        if name not in Limits.model_fields:
            raise AffuseError(f"{argument('limit')}: {unknown(name, list(Limits.model_fields), 'limits')}.")
    try:
        return Limits.model_validate(dict(changes))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise AffuseError(f"{argument('limit')} {name}={changes[name]:g}: {first['msg'].lower()}.") from None


def name_models(sources: Sequence[str]) -> dict[str, str]:
    """Name -> source: the last part of each; the same part twice gets a number.

    Examples:
        >>> name_models(["starter", "runs/one", "other/one", "owner/model@main"])
        {'starter': 'starter', 'one': 'runs/one', 'one-2': 'other/one', 'model': 'owner/model@main'}
    """
    named: dict[str, str] = {}
    for source in sources:
        last = Path(source.rstrip("/")).resolve().name if source.startswith(".") else Path(source).name
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", last.partition("@")[0]).strip("-.") or "model"
        name, count = plain, 1
        while name in named:
            count += 1
            name = f"{plain}-{count}"
        named[name] = source
    return named


def open_socket(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes a free one.

    Raises:
        AffuseError: The port is taken, or there is no such address.
    """
    opened: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, kind, protocol)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        # already now: two that are begun together may both bind, and one would fail when its models are loaded
        opened.listen(BACKLOG)
    except OSError as error:
        if opened is not None:
            opened.close()
        why = (error.strerror or str(error)).lower()
        raise AffuseError(
            f"{host}:{port} cannot be listened on ({why}); choose another {argument('port')} or {argument('host')}."
        ) from None
    return opened


def uvicorn_config(
    app: ASGIApp, *, proxy: bool = False, lifespan: Literal["on", "off"] = "on"
) -> uvicorn.Config:
    """What of HTTP the service takes at most.

    Args:
        app: What is served.
        proxy: Whether a proxy on this machine says who its clients are.
        lifespan: "off": somebody else has started the engine.
    """
    import uvicorn

    from affuse.serving.patience import PatientProtocol, RefusingProtocol

    return uvicorn.Config(
        app, http=PatientProtocol, ws=RefusingProtocol, log_level="warning", access_log=False, server_header=False,
        proxy_headers=proxy, timeout_keep_alive=15, h11_max_incomplete_event_size=64 * 1024, ws_max_size=1 << 20,
        ws_max_queue=16, ws_per_message_deflate=False, timeout_graceful_shutdown=5, lifespan=lifespan, backlog=BACKLOG,
    )  # fmt: skip


def serve_models(
    models: Sequence[str],
    *,
    host: str,
    port: int,
    token: str | None,
    hosts: Sequence[str],
    root_path: str,
    workers: int,
    device: str,
    asr: str | None,
    corpora: Sequence[str],
    proxy: bool,
    limits: Limits,
    tell: Callable[[str], None],
) -> None:
    """Serve models until SIGTERM or Ctrl-C.

    Args:
        models: Folders, starters' names, Hub ids.
        host: The address to listen on.
        port: 0 takes a free one.
        token: That clients must bear; None: none.
        hosts: More names that the service is reached by.
        root_path: Below which a proxy shows it.
        workers: Processes that have the weights.
        device: "auto", "cpu" or "cuda".
        asr: Recogniser of models that read words; None: each model's own; "none": none.
        corpora: Folders of corpora, whose utterances the embedding maps of their runs play.
        proxy: Whether a proxy on this machine says who its clients are (X-Forwarded-For).
        limits: What it takes at most.
        tell: Told what a user should know, in sentences.

    Raises:
        AffuseError: A model or corpus that cannot be loaded, an address that cannot be listened on.
    """
    from affuse.corpora.corpus import Corpus
    from affuse.serving.about.about import About
    from affuse.serving.app import create_app
    from affuse.serving.draining import DrainingServer
    from affuse.serving.engine import Engine
    from affuse.serving.trace import content_kept_out

    named = name_models(models)
    at_hand = [Corpus.load(folder) for folder in corpora]
    about = {name: About(source, at_hand) for name, source in named.items()}
    folders = {name: one.folder for name, one in about.items()}
    engine = Engine(folders, limits, workers=workers, device=device, asr=asr)
    opened = open_socket(host, port)
    try:
        _look_for(engine.recognisers, tell)
    except AffuseError:
        opened.close()
        raise
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{opened.getsockname()[1]}{root_path}"
    app = create_app(engine, about, hosts=[*hosts, host], token=token, root_path=root_path)
    server = DrainingServer(
        uvicorn_config(app, proxy=proxy),
        engine.drain,
        lambda: _say_what_is_served(engine, address, tell),
    )
    try:
        with content_kept_out():
            asyncio.run(_run(server, engine, opened))
    finally:
        opened.close()


async def _run(server: DrainingServer, engine: Engine, opened: socket.socket) -> None:
    try:
        # before uvicorn: what is wrong with a model is a sentence, not a log of its lifespan
        await engine.start()
        await server.serve(sockets=[opened])
    finally:
        await engine.close()


def _look_for(recognisers: Sequence[str], tell: Callable[[str], None]) -> None:
    """Before any process is started for them: what cannot be had is a sentence at once, what is loaded is said."""
    from affuse.inference.recogniser import find_recogniser

    for one in recognisers:
        source = find_recogniser(one)
        tell(f"Words are recognised by {one}{'' if Path(source).is_dir() else ', of the Hub'}; loading it.")


def _say_what_is_served(engine: Engine, address: str, tell: Callable[[str], None]) -> None:
    for name, model in engine.models.items():
        if model.wordless:
            tell(f"{name}: {model.wordless}")
    tell(f"Serving {', '.join(engine.models)} on {address}/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
