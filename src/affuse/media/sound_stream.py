"""The sound of a file from its beginning to its end, block by block: memory does not depend on its length."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from affuse.errors import ClipError
from affuse.media.audio import check_file, open_sound
from affuse.media.audio_track import AudioTrack, samples_of
from affuse.media.riff import promised_seconds
from affuse.media.sound import Sound

_BLOCK_SECONDS = 1.0
_SHORT = 0.5  # seconds by which a file may be shorter than its headers say, without a word


class SoundStream:
    """Mono blocks of at most about a second. Use it once.

    ``rate`` in Hz. Where the decoder loses packets, silence takes their place, so that what follows keeps its
    time; a bad sample (NaN, infinite) becomes 0. ``fault`` says so afterwards in one sentence, else it is "".
    Sound that begins later than its film has silence before it, without a word.
    Raises ClipError as ``read_waveform`` does, but not for silence; a missing ``channel`` is one too.
    """

    def __init__(self, path: str | Path, channel: int | None = None) -> None:
        self.path = Path(path)
        self.channel = channel
        self.fault = ""
        self.position = 0  # samples given so far
        self._sound: soundfile.SoundFile | None = None
        self._track: AudioTrack | None = None
        check_file(self.path)
        self._sound = open_sound(self.path)
        if self._sound is not None and self._sound.frames == 0:  # a header that was never filled in, say
            try:
                self._track = AudioTrack(self.path)
                self._sound.close()
                self._sound = None
            except ClipError:
                pass
        if self._sound is None and self._track is None:
            self._track = AudioTrack(self.path)
        source = self._sound or self._track
        assert source is not None
        self.rate: int = source.samplerate if isinstance(source, soundfile.SoundFile) else source.rate
        channels: int = source.channels
        if channel is not None and not 0 <= channel < channels:
            known = "only channel 0" if channels == 1 else f"channels 0 to {channels - 1}"
            raise ClipError(f"{path} has {known}, not channel {channel}; name another with --channel.")
        self._claimed = (
            promised_seconds(self.path) or self._sound.frames / self.rate  # soundfile counts what is there
            if self._sound is not None
            else None if self._track is None else self._track.seconds
        )  # fmt: skip

    def __iter__(self) -> Iterator[np.ndarray]:
        """(time,) float32, at the file's own rate."""
        try:
            for block in self._blocks():
                bad = ~np.isfinite(block)
                if bad.any():
                    self._note(
                        f"{self.path} has samples that are NaN or infinite from {self.position / self.rate:.2f} s on; "
                        "they count as silence."
                    )
                    block = np.where(bad, np.float32(0), block)
                self.position += len(block)
                yield np.ascontiguousarray(block, dtype=np.float32)
        finally:
            for source in (self._sound, self._track):
                if source is not None:
                    source.close()
        found = self.position / self.rate
        if self._claimed is not None and self._claimed - found > _SHORT:
            self._note(
                f"{self.path} ends after {found:.2f} s of sound, its headers say {self._claimed:.2f} s; "
                "what could be decoded is used."
            )

    def _blocks(self) -> Iterator[np.ndarray]:
        if self._sound is not None:
            size = round(_BLOCK_SECONDS * self.rate)
            try:
                while len(block_tc := self._sound.read(size, dtype="float32", always_2d=True)):
                    yield self._mono(block_tc)
                return
            except soundfile.LibsndfileError:  # damage: FFmpeg goes on behind it where it can
                try:
                    self._track = AudioTrack(self.path)
                except ClipError:
                    self._note(
                        f"{self.path} cannot be decoded beyond {self.position / self.rate:.2f} s; "
                        "the sound before that is used."
                    )
                    return
        assert self._track is not None
        begun = self.position
        yield from self._silence(self._track.lead - begun)
        for position, frame in self._track.timed_frames():
            block_tc = samples_of(frame)
            if position + len(block_tc) <= begun:
                continue
            if block_tc.shape[1] != self._track.channels and self.channel is not None:
                continue  # a stream that changes its layout on the way
            gap = position - self.position
            if gap > 0:
                self._note(
                    f"{self.path} has no sound that can be decoded from {self.position / self.rate:.2f} s to "
                    f"{position / self.rate:.2f} s; silence takes its place."
                )
                yield from self._silence(gap)
            skipped = max(0, begun - position)
            for at in range(skipped, len(block_tc), self.rate):
                yield self._mono(block_tc[at : at + self.rate])

    def _silence(self, samples: int) -> Iterator[np.ndarray]:
        for at in range(0, samples, self.rate):
            yield np.zeros(min(self.rate, samples - at), np.float32)

    def _mono(self, block_tc: np.ndarray) -> np.ndarray:
        if self.channel is not None:
            return block_tc[:, self.channel]
        return block_tc[:, 0] if block_tc.shape[1] == 1 else block_tc.mean(axis=1, dtype=np.float32)

    def _note(self, sentence: str) -> None:
        if not self.fault:  # the first cause is the one to mend
            self.fault = sentence


class SoundWindows:
    """Stretches of a stream, asked for in order of their starts; only what may still be asked for is kept."""

    def __init__(self, stream: SoundStream) -> None:
        self.stream = stream
        self._blocks = iter(stream)
        self._kept = np.zeros(0, np.float32)
        self._first = 0  # sample of the file that ``_kept`` begins with

    def read(self, start: float, end: float) -> Sound:
        """From ``start`` to ``end`` seconds, shorter at the end of the file (maybe empty)."""
        rate = self.stream.rate
        first, last = round(start * rate), max(round(start * rate) + 1, round(end * rate))
        if first < self._first:
            raise ValueError(f"{start:g} s was given up already; ask in order of the starts")
        parts, have = [self._kept], self._first + len(self._kept)
        while have < last:
            block = next(self._blocks, None)
            if block is None:
                break
            have += len(block)
            if have <= first:  # nothing of it will be asked for
                parts, self._first = [], have
                continue
            parts.append(block)
        kept = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        drop = min(max(0, first - self._first), len(kept))
        self._kept = kept[drop:].copy() if drop else kept
        self._first += drop
        return Sound(self._kept[: max(0, last - self._first)], rate, self._first, self.stream.path)
