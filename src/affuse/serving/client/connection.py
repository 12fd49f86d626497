"""Requests to a service, whose problems become errors with its own sentence."""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import IO, Any

import httpx2

from affuse.errors import AffuseError, ClipError, argument
from affuse.names import quote

CONNECT, SEND = 10.0, 60.0  # seconds to reach it, and to get rid of a block of an upload
HEARTBEATS = 60.0  # seconds; events come more often, if only as a sign of life
_OF_CLIPS = ("clip", "limit", "crash")  # kinds of problems that are the clip's
_TOKEN = re.compile(r"[\x21-\x7e]+")

Files = Mapping[str, Callable[[], IO[bytes]]]  # field -> opens what it sends, for every try once more


class Connection:
    """One service.

    Args:
        address: Its URL, with the path below which a proxy shows it.
        token: That it asks for.
        timeout: Seconds that an answer may take.
        patience: Seconds to wait, in all, where it has no room for a clip.

    Raises:
        AffuseError: The address is none, or the token cannot be sent in a header.
    """

    def __init__(self, address: str, token: str | None, timeout: float, patience: float) -> None:
        self.address = address.rstrip("/")
        self.token, self.timeout, self.patience = token, timeout, patience
        try:
            url = httpx2.URL(f"{self.address}/")
        except httpx2.InvalidURL:
            url = httpx2.URL("")
        if url.scheme not in ("http", "https") or not url.host:
            raise AffuseError(
                f"{argument('address')} takes the URL of a service, as in http://127.0.0.1:8765, not {quote(address)}."
            )
        if token is not None and not _TOKEN.fullmatch(token):
            raise AffuseError(
                f"{argument('token')} takes letters, digits and signs of ASCII, without spaces."
            )
        self.local = _is_loopback(url.host)
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._client = httpx2.Client(
            base_url=url,
            headers=self.headers,
            timeout=httpx2.Timeout(CONNECT, write=SEND, read=timeout, pool=None),
            trust_env=not self.local,  # a proxy of the environment cannot reach this machine's own address
        )

    def close(self) -> None:
        """Its connections."""
        self._client.close()

    def check_open(self) -> None:
        """Raises AffuseError where the client was closed: waiting or trying again would not help."""
        if self._client.is_closed:
            raise AffuseError("This client was closed; make another one (affuse.Client).")

    def get(self, path: str, **params: str) -> Mapping[str, Any]:
        """The JSON object of a path."""
        return self._json(self._answer("GET", path, params=params))

    def delete(self, path: str) -> None:
        """Delete what is there; what is gone already is no error."""
        with self._told():
            response = self._client.delete(path)
        if response.status_code != 404:
            self._check(response)

    def send(self, path: str, fields: Mapping[str, str], files: Files) -> Mapping[str, Any]:
        """Send a form and read its JSON answer; where the service has no room it is sent again later.

        Args:
            path: Below the address.
            fields: Name -> text.
            files: Name -> what opens the file.

        Raises:
            ClipError: The service cannot use the clip.
            AffuseError: Whatever else it says, or it cannot be reached.
        """
        until = time.monotonic() + self.patience
        while True:
            with ExitStack() as opened:
                handles = {name: opened.enter_context(make()) for name, make in files.items()}
                parts = {name: (_plain_name(name, file), file) for name, file in handles.items()}
                response = self._answer("POST", path, check=False, data=dict(fields), files=parts)
            if response.status_code in (429, 503) and "Retry-After" in response.headers:
                wait = _seconds(response.headers.get("Retry-After", ""))
                if time.monotonic() + wait <= until:
                    time.sleep(wait)
                    continue
            self._check(response)
            return self._json(response)

    @contextmanager
    def events(self, path: str) -> Generator[Iterator[httpx2.ServerSentEvent]]:
        """The server-sent events of a path.

        Raises:
            AffuseError: The service refuses, or the connection breaks.
        """
        timeout = httpx2.Timeout(CONNECT, read=HEARTBEATS, write=SEND, pool=None)
        with self._told(), self._client.sse(path, timeout=timeout) as source:
            if source.response.status_code >= 300:
                source.response.read()
                self._check(source.response)
            yield iter(source)

    def _answer(self, method: str, path: str, check: bool = True, **content: Any) -> httpx2.Response:
        with self._told():
            response = self._client.request(method, path, **content)
        if check:
            self._check(response)
        return response

    @contextmanager
    def _told(self) -> Generator[None]:
        """What goes wrong on the way, in a sentence."""
        self.check_open()
        try:
            yield
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise UnreachedError(
                f"{self.address} cannot be reached ({reason_of(error)}); start it with affuse serve, or correct "
                f"{argument('address')}."
            ) from None
        except httpx2.TimeoutException:
            raise UnreachedError(
                f"{self.address} has not answered within {self.timeout:g} seconds; try again, or give it a larger "
                f"{argument('timeout')}."
            ) from None
        except httpx2.RequestError as error:
            self.check_open()  # another thread may have closed it meanwhile
            raise UnreachedError(
                f"The connection to {self.address} broke ({reason_of(error)}); try again."
            ) from None

    def _check(self, response: httpx2.Response) -> None:
        if response.status_code < 300:
            return
        if "application/problem+json" in response.headers.get("Content-Type", ""):
            raise problem_error(self._json(response))
        raise self.foreign(f"{response.status_code} {response.reason_phrase}".strip())

    def _json(self, response: httpx2.Response) -> Mapping[str, Any]:
        try:
            told = response.json()
        except ValueError:
            raise self.foreign("what is no JSON") from None
        if not isinstance(told, Mapping):
            raise self.foreign("JSON that is no object")
        return told

    def foreign(self, what: str) -> AffuseError:
        """The error of an answer that is no service's of this version."""
        return AffuseError(
            f"{self.address} answers {what}, which affuse serve does not; look at {argument('address')} and at the "
            "proxy before it."
        )


class UnreachedError(AffuseError):
    """The service cannot be reached, or not any more."""


def problem_error(problem: Any) -> AffuseError:
    """The error that a problem of the service is."""
    told: Mapping[str, Any] = problem if isinstance(problem, Mapping) else {}
    sentence = str(told.get("detail") or "The service refuses, and does not say why.")
    return ClipError(sentence) if told.get("kind") in _OF_CLIPS else AffuseError(sentence)


def _plain_name(field: str, file: IO[bytes]) -> str:
    """The ending of a file of words says which format it is; more of a file's name is nobody's business."""
    name = str(getattr(file, "name", ""))
    ending = re.search(r"\.[A-Za-z0-9]{1,10}$", name)
    return field + (ending[0] if ending else "")


def _seconds(retry_after: str) -> float:
    return float(retry_after) if retry_after.isdecimal() and len(retry_after) < 6 else 1.0


def reason_of(error: Exception) -> str:
    """What an error of a connection says, as part of a sentence."""
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)).lower() or type(error).__name__


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
