"""The process that opens the pictures of one live stream: it looks for faces, hands out squares of them, and may die.

It imports neither torch nor any model, so it starts quickly and is small.
"""

from __future__ import annotations

import json
import signal
import struct
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection

import numpy as np

from affuse.errors import AffuseError
from affuse.inference.faces import FaceOptions
from affuse.inference.live.pictures import FacesRead, LivePictures, Square
from affuse.inference.windows import Window
from affuse.media.jpeg import jpeg_size
from affuse.serving.engine.memory_limit import limit_memory
from affuse.serving.limits import Limits
from affuse.workers import begin_worker

KEPT = 1 << 26  # bytes of pictures that a stream may have in memory for windows that are not there yet
# what a message is: to the process a picture, a window, how far the sound is, that no window shall wait any longer, the
# end; from it faces, the end with what could not be used, or why there are no faces any more
PICTURE, WINDOW, HEARD, HURRY, END, FACES, FAILED = b"P", b"W", b"H", b"N", b"E", b"R", b"F"
ONE, SPAN, PLACES, LENGTH = (
    struct.Struct("<d"),
    struct.Struct("<qddq"),
    struct.Struct("<dd"),
    struct.Struct("<I"),
)


def serve(options: Mapping[str, FaceOptions], limits: Limits, pipe: Connection) -> None:
    """Take in what comes, and send the faces of every window as soon as its pictures are there.

    Args:
        options: Modality -> what its encoder asks of faces.
        limits: Of memory, pixels and processor time.
        pipe: To the service.
    """
    begin_worker()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # of a whole group: the service itself ends its processes
    try:
        try:
            pictures = LivePictures(options, KEPT)  # a detector counts as the process's own memory
            limit_memory(limits.decoder_memory)
            _serve(pictures, limits, pipe)
        except AffuseError as error:
            pipe.send_bytes(FAILED + str(error).encode())
        except MemoryError:
            pipe.send_bytes(
                FAILED + b"Decoding the pictures takes more memory than the service gives to one."
            )
    except (EOFError, OSError):  # the service is gone
        return


def _serve(pictures: LivePictures, limits: Limits, pipe: Connection) -> None:
    began, seconds = time.process_time(), 0.0
    while True:
        message = pipe.recv_bytes()
        kind, data = message[:1], message[1:]
        if kind == PICTURE:
            jpeg = data[ONE.size :]
            _check_size(jpeg, limits)
            (at,) = ONE.unpack_from(data)
            pictures.push(at, jpeg)
        elif kind == WINDOW:
            number, start, end, span = SPAN.unpack(data)
            pictures.ask(number, Window(start, end, span))
        elif kind == HEARD:
            seconds, needed = PLACES.unpack(data)
            pictures.hear(seconds, needed)
        elif kind == END:
            pictures.end()
        for read in pictures.ready(now=kind == HURRY):
            pipe.send_bytes(packed(read))
            if time.process_time() - began > limits.decode_seconds + seconds:
                raise AffuseError(
                    f"Reading the pictures takes more than {limits.decode_seconds:g} seconds of processor time beside "
                    "as many as the stream lasts, which is what the service gives to one; send smaller ones, or ask "
                    "for a larger hop."
                )
        if kind == END:
            pipe.send_bytes(END + pictures.fault.encode())


def _check_size(jpeg: bytes, limits: Limits) -> None:
    width, height = jpeg_size(jpeg)
    if width * height > limits.pixels:
        raise AffuseError(
            f"The stream has pictures of {width} x {height} pixels, and the service takes {limits.pixels:,} pixels; "
            "send them smaller."
        )


def packed(read: FacesRead) -> bytes:
    """The faces of one window as a message."""
    head = json.dumps({
        "number": read.number,
        "squares": read.squares,
        "frames": {name: None if one is None else len(one) for name, one in read.faces.items()},
    }).encode()  # fmt: skip
    faces = [one.tobytes() for one in read.faces.values() if one is not None]
    return b"".join([FACES, LENGTH.pack(len(head)), head, *faces])


def unpacked(data: bytes, options: Mapping[str, FaceOptions]) -> FacesRead:
    """What ``packed`` gave, without its first byte.

    Raises:
        ValueError, TypeError, KeyError, struct.error: It cannot be: a picture may have taken the process over.
    """
    (length,) = LENGTH.unpack_from(data)
    at = LENGTH.size + length
    head = json.loads(data[LENGTH.size : at])
    faces: dict[str, np.ndarray | None] = {}
    for name, one in options.items():
        count = head["frames"][name]
        if count is None:
            faces[name] = None
            continue
        shape = (int(count), one.size, one.size, 3)
        size = int(np.prod(shape))
        if not shape[0] > 0 or at + size > len(data):
            raise ValueError("there are fewer faces than are told")
        faces[name] = np.frombuffer(data, np.uint8, size, at).reshape(shape)
        at += size
    squares = {
        name: None if square is None else Square(*map(float, square))
        for name, square in head["squares"].items()
        if name in options
    }
    return FacesRead(int(head["number"]), faces, squares)
