"""A multipart request as it arrives: clips go to a private folder under names of our own, within the limits."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from affuse.inference.words import SUFFIXES
from affuse.parts.registry import unknown
from affuse.serving.limits import Limits
from affuse.serving.problems import ProblemError
from affuse.serving.space import Place, Space

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FILES = ("clip", "words")  # the fields that are files
_FIELD = 100_000  # bytes of one field that is no file


class Upload:
    """The fields and files of one request.

    Args:
        place: The room that its files take.

    Attributes:
        fields: Name -> text.
        files: Name -> file.
    """

    def __init__(self, place: Place) -> None:
        self.fields: dict[str, str] = {}
        self.files: dict[str, Path] = {}
        self._place = place

    def settle(self) -> None:
        """All has come: its files take no more room than they have bytes."""
        self._place.shrink(sum(path.stat().st_size for path in self.files.values()))

    def remove(self) -> None:
        """The files."""
        for path in self.files.values():
            path.unlink(missing_ok=True)
        self._place.give_back()


async def receive_upload(
    request: Request, folder: Path, limits: Limits, space: Space, known: Collection[str]
) -> Upload:
    """Take in a request's body.

    Args:
        request: Its body was not read yet.
        folder: Where files go; names of the client's are never used.
        limits: Bytes and seconds.
        space: Of all uploads.
        known: Names of all fields.

    Raises:
        ProblemError: It is no multipart form, is larger or slower than the service takes, finds no room beside other
            uploads, has a field that is not known, or no clip.
    """
    kind, options = parse_options_header(request.headers.get("Content-Type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise ProblemError(
            415, "Send the clip as multipart/form-data, in the field clip (curl: -F clip=@talk.wav).",
            {"Accept-Post": "multipart/form-data"},
        )  # fmt: skip
    size = _size_at_most(request, limits)
    upload = Upload(space.take(size))
    taking = _Taking(upload, folder, limits, known)
    try:
        async with asyncio.timeout(limits.upload_seconds):
            parser = MultipartParser(boundary, taking.callbacks())
            async for block in request.stream():
                taking.count(len(block))
                parser.write(block)
            parser.finalize()
        taking.check_end()
        upload.settle()
    except BaseException as error:
        taking.close()
        upload.remove()
        raise _as_problem(error, limits) from None
    return upload


def _size_at_most(request: Request, limits: Limits) -> int:
    """Bytes of a body that has not come yet: where it comes in chunks, its header says nothing that holds."""
    most = limits.bytes + _FIELD
    stated = request.headers.get("Content-Length", "")
    size = int(stated) if stated.isdecimal() and "Transfer-Encoding" not in request.headers else most
    if size > most:
        raise _too_large(limits)
    return size


class _Taking:
    """What a parser says, part by part."""

    def __init__(self, upload: Upload, folder: Path, limits: Limits, known: Collection[str]) -> None:
        self.upload, self.folder, self.limits, self._known = upload, folder, limits, list(known)
        self._total = 0
        self._ended = False
        self._field, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._text = bytearray()
        self._file: IO[bytes] | None = None

    def callbacks(self) -> MultipartCallbacks:
        """For the parser."""
        return {
            "on_part_begin": self.part_begin,
            "on_part_data": self.part_data,
            "on_part_end": self.part_end,
            "on_header_field": self.header_field,
            "on_header_value": self.header_value,
            "on_header_end": self.header_end,
            "on_headers_finished": self.headers_finished,
            "on_end": self.end,
        }

    def count(self, size: int) -> None:
        """So many bytes more."""
        self._total += size
        if self._total > self.limits.bytes + _FIELD:
            raise _too_large(self.limits)

    def part_begin(self) -> None:
        self._headers = {}

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field, self._value = b"", b""

    def headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if self._name in {*self.upload.fields, *self.upload.files}:
            raise ProblemError(422, f"The field {self._name!r} is there twice; send it once.")
        if self._name not in self._known:  # before what it holds: a clip under another name is no text
            raise ProblemError(422, f"{unknown(self._name[:40], self._known, 'fields of the form')}.")
        if self._name in FILES:
            path = self.folder / (secrets.token_hex(16) + self._ending(options.get(b"filename", b"")))
            self.upload.files[self._name] = path
            self._file = path.open("xb")
        self._text = bytearray()

    def _ending(self, name: bytes) -> str:
        """That of a file of words says which format it is; it is one of ours, whatever the client's name was."""
        ending = Path(name.decode("utf-8", "replace").replace("\0", "")).suffix.lower()
        return ending if self._name == "words" and ending in SUFFIXES else ""

    def part_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(data[start:end])
            return
        self._text += data[start:end]
        if len(self._text) > _FIELD:
            raise ProblemError(413, f"The field {self._name!r} has more than {_FIELD:,} bytes; shorten it.")

    def part_end(self) -> None:
        if self._file is not None:
            self.close()
            return
        try:
            self.upload.fields[self._name] = self._text.decode("utf-8")
        except UnicodeDecodeError:
            raise ProblemError(
                422, f"The field {self._name!r} is not UTF-8 text; send it as UTF-8."
            ) from None

    def end(self) -> None:
        self._ended = True

    def check_end(self) -> None:
        """That all is there."""
        if not self._ended:
            raise ProblemError(400, "The form ends in the middle; send it whole, with its closing boundary.")
        if "clip" not in self.upload.files:
            raise ProblemError(422, "There is no clip; send it in the field clip (curl: -F clip=@talk.wav).")
        if not self.upload.files["clip"].stat().st_size:
            raise ProblemError(422, "The clip is empty (0 bytes); send an audio or video file.", kind="clip")

    def close(self) -> None:
        """The file that is being written, if there is one."""
        if self._file is not None:
            with suppress(OSError):  # what is buffered may not fit on the disk
                self._file.close()
            self._file = None


def _too_large(limits: Limits) -> ProblemError:
    return ProblemError(
        413, f"The upload is larger than the {limits.bytes:,} bytes that the service takes; send a smaller clip.",
        {"Connection": "close"}, "limit",
    )  # fmt: skip


def _as_problem(error: BaseException, limits: Limits) -> BaseException:
    if isinstance(error, MultipartParseError):
        return ProblemError(
            400, "The body is not the multipart form that its header announces; send it again."
        )
    if isinstance(error, TimeoutError):
        return ProblemError(
            408, f"The upload took longer than {limits.upload_seconds:g} seconds; send it again, or a smaller clip.",
            {"Connection": "close"},
        )  # fmt: skip
    if isinstance(error, ClientDisconnect):
        return ProblemError(400, "The upload ended before its end.")
    if isinstance(error, OSError):
        return ProblemError(507, "The service has no room for the upload now; try again later.")
    return error
