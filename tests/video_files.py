"""Small videos for tests, written by PyAV: every picture tells its own number, half and place."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.stream import Disposition

TICK = Fraction(1, 1000)


def grey(level: int, height: int = 64, width: int = 96) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def write_video(
    path: Path,
    pictures: Sequence[np.ndarray],
    fps: int = 25,
    *,
    times: Sequence[float] | None = None,
    sound_seconds: float | None = None,
    wave: np.ndarray | None = None,
    codec: str = "mpeg4",
    group: int = 12,
    options: dict[str, str] | None = None,
    aspect: Fraction | None = None,
) -> Path:
    """``times`` (seconds) instead of a constant rate; ``sound_seconds`` of a tone beside the picture, or ``wave``
    (int16 at 16 kHz); ``aspect`` of a pixel.
    """
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = width, height, "yuv420p", group
        stream.bit_rate = 4_000_000
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if times is not None:
            stream.codec_context.time_base = TICK
        sound = None
        if sound_seconds is not None or wave is not None:
            sound = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = i if times is None else round(times[i] / TICK)
            frame.time_base = Fraction(1, fps) if times is None else TICK
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound_seconds is not None:
            wave = (3000 * np.sin(np.arange(int(16_000 * sound_seconds)) / 5)).astype(np.int16)
        if sound is not None and wave is not None:
            block = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
            block.sample_rate, block.pts, block.time_base = 16_000, 0, Fraction(1, 16_000)
            container.mux(sound.encode(block))
            container.mux(sound.encode(None))
    return path


def decode_all(path: Path) -> tuple[list[float], list[np.ndarray]]:
    """Times and pictures of the whole file, one after another: what seeking is compared with."""
    with av.open(str(path)) as container:
        origin = (container.start_time or 0) / av.time_base
        frames = [
            (frame.time - origin, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)
        ]
    return [t for t, _ in frames], [p for _, p in frames]


def turn_quarter(path: Path, degrees: int) -> Path:
    """Write the display matrix that a phone held upright writes, into an mp4's track header.

    ``degrees`` clockwise that a player must turn the picture: 0, 90, 180 or 270.
    """
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd")
    version = data[at + 4]
    matrix = at + 4 + (52 if version else 40)
    a, b = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    fixed = [a, b, 0, -b, a, 0, 0, 0, 1 << 14]  # in 16.16; the last is 1 in 2.30
    data[matrix : matrix + 36] = b"".join((value << 16).to_bytes(4, "big", signed=True) for value in fixed)
    path.write_bytes(data)
    return path


def join_sizes(path: Path, parts: Sequence[Sequence[np.ndarray]], codec: str, fps: int = 25) -> list[Path]:
    """One picture track whose size changes from part to part, as browsers and broadcasts write it; gives each alone.

    Packets are the same in ``path`` and in the files of the parts, so are the pictures decoded from them.
    """
    alone: list[Path] = []
    options = {"tune": "zerolatency"} if codec == "libx264" else {}
    if codec.startswith("libvpx"):
        options = {"deadline": "realtime", "cpu-used": "8"}
    with av.open(str(path), "w") as film:
        track: Any = None
        at = 0
        for i, pictures in enumerate(parts):
            alone.append(path.with_name(f"part{i}{path.suffix}"))
            with av.open(str(alone[-1]), "w") as container:
                stream: Any = container.add_stream(codec, rate=fps, options=options)
                stream.height, stream.width = pictures[0].shape[:2]
                stream.pix_fmt, stream.bit_rate = "yuv420p", 2_000_000
                stream.codec_context.thread_count = 1  # libvpx's threads wait by turning in circles
                container.start_encoding()
                if track is None:
                    track = film.add_stream_from_template(stream)
                    film.start_encoding()
                frames = [av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in pictures]
                for k, frame in enumerate(frames):
                    frame.pts, frame.time_base = k, Fraction(1, fps)
                for frame in (*frames, None):
                    for packet in stream.encode(frame):
                        tick, data = packet.time_base, bytes(packet)
                        copy = av.Packet(data)
                        copy.stream, copy.time_base, copy.is_keyframe = track, tick, packet.is_keyframe
                        copy.pts = packet.pts + round(Fraction(at, fps) / tick)
                        copy.dts = packet.dts + round(Fraction(at, fps) / tick)
                        copy.duration = round(Fraction(1, fps) / tick)
                        container.mux(packet)
                        film.mux(copy)
            at += len(pictures)
    return alone


def id3_cover(pixels: np.ndarray) -> bytes:
    """An ID3 tag with a cover picture, which goes before an mp3's first frame."""
    picture = b"\0image/png\0\3\0" + cv2.imencode(".png", pixels)[1].tobytes()
    frame = b"APIC" + len(picture).to_bytes(4, "big") + b"\0\0" + picture
    size = len(frame)
    return b"ID3\3\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0)) + frame


def write_tracks(path: Path, tracks: dict[str, Sequence[np.ndarray]]) -> Path:
    """A video track for every codec; mjpeg's is a cover."""
    with av.open(str(path), "w") as container:
        streams: dict[str, Any] = {}
        for codec, pictures in tracks.items():
            stream = streams[codec] = container.add_stream(codec, rate=25)
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt, stream.bit_rate = "yuv420p", 2_000_000
            if codec == "mjpeg":
                stream.pix_fmt, stream.disposition = "yuvj420p", Disposition.attached_pic
        for codec, pictures in tracks.items():
            for i, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame = frame.reformat(format=streams[codec].pix_fmt)
                frame.pts, frame.time_base = i, Fraction(1, 25)
                container.mux(streams[codec].encode(frame))
            container.mux(streams[codec].encode(None))
    return path


def cover_first(path: Path, pictures: Sequence[np.ndarray]) -> Path:
    """An mp4 whose first video stream is its cover, and whose second one are the pictures."""
    write_tracks(path, {"mjpeg": [grey(255)], "mpeg4": pictures})
    data = path.read_bytes()
    at = data.index(b"moov") - 4
    end = at + int.from_bytes(data[at : at + 4], "big")
    boxes, begin = [], at + 8
    while begin < end:
        size = int.from_bytes(data[begin : begin + 4], "big")
        boxes.append(data[begin : begin + size])
        begin += size
    boxes.sort(key=lambda box: box[4:8] != b"udta")  # streams are numbered as they are found
    path.write_bytes(data[: at + 8] + b"".join(boxes) + data[end:])
    return path
