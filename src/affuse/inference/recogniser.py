"""The words of a clip by a transformers recogniser: Whisper, wav2vec 2.0 with CTC, and similar networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from affuse.encoders.hub_access import why_unreachable
from affuse.encoders.pretrained import attempts_unsaid, check_hub_cache, locate
from affuse.errors import AffuseError, ClipError, argument
from affuse.inference.words import Cue, Word, composed, place
from affuse.media.audio import read_waveform
from affuse.media.samples import Samples
from affuse.media.sound import Sound
from affuse.media.sound_stream import SoundStream, SoundWindows
from affuse.media.speech import Span

RATE = 16_000
_LONGEST = 28.0  # seconds of one piece: Whisper hears 30


_CURE = "a Hub id that this machine can reach, a folder with config.json, weights and tokenizer, or none"


def find_recogniser(model: str) -> str:
    """The folder or Hub id to hand to transformers, whose own tries take long where there is no network.

    Raises:
        AffuseError: It is not on this machine, and the Hub cannot be reached; or its folder is none of a model.
    """
    source = locate(model)
    if not Path(source).is_dir():
        check_hub_cache()
        if why := why_unreachable(source):
            raise AffuseError(
                f"The recogniser {model!r} is not on this machine, and the Hub cannot be reached ({why}); give "
                f"{argument('asr')} {_CURE}."
            )
    return source


class Recogniser:
    """``model``: a Hub id or a folder.

    Raises:
        AffuseError: If it is no recogniser that can be loaded.
    """

    def __init__(self, model: str, device: str = "cpu") -> None:
        import torch
        from transformers import pipeline
        from transformers.utils import logging

        logging.disable_progress_bar()
        logging.set_verbosity_error()  # it warns of defaults that we choose on purpose
        source = find_recogniser(model)
        try:
            with attempts_unsaid():
                self._pipeline: Any = pipeline(
                    "automatic-speech-recognition", model=source, device=device, dtype=torch.float32
                )
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).strip().splitlines()[0]
            raise AffuseError(
                f"The recogniser {model!r} could not be loaded ({reason}); give {argument('asr')} {_CURE}."
            ) from None
        self._times = self._timestamps()

    def _timestamps(self) -> str | bool:
        """What the model can tell of time: "word", True (phrases) or False."""
        kind = self._pipeline.type
        if kind == "seq2seq_whisper":
            config = self._pipeline.model.generation_config
            if getattr(config, "no_timestamps_token_id", None) is None:  # folders saved without it
                config.no_timestamps_token_id = self._pipeline.tokenizer.convert_tokens_to_ids(
                    "<|notimestamps|>"
                )
            return "word" if getattr(config, "alignment_heads", None) else True
        return "word" if kind.startswith("ctc") else False

    def hear(
        self,
        path: Path | Samples,
        channel: int | None,
        speech: Sequence[Span],
        track: int | None = None,
        start: float = 0.0,
    ) -> list[Word]:
        """Every word of the speech with its times, in one pass over the sound from ``start`` seconds on.

        Where the model gives the times of phrases only, a phrase's words share its time by their letters.
        """
        words: list[Word] = []
        for waveform, span in pieces(path, channel, speech, track, start):
            words += self.words(waveform, span)
        return words

    def words(self, waveform: np.ndarray, span: Span) -> list[Word]:
        """The words of one piece: (samples,) float32 at ``RATE`` Hz, which lies at ``span`` in its file."""
        return place(self._cues(waveform, span), [span])

    def _cues(self, waveform: np.ndarray, span: Span) -> list[Cue]:
        heard = self._pipeline({"raw": waveform, "sampling_rate": RATE}, return_timestamps=self._times)
        if not self._times:
            return [Cue(span.start, span.end, composed(heard["text"]).strip())]
        cues = []
        for chunk in heard["chunks"]:
            start, end = chunk["timestamp"]
            start = min(span.end, span.start + (start or 0.0))
            end = span.end if end is None else min(span.end, span.start + end)
            if end - start < 1e-3:  # a word of no length, or said to begin beyond the end
                start = max(span.start, end - 1e-3)
            cues.append(Cue(start, end, composed(chunk["text"]).strip()))
        return [cue for cue in cues if cue.text]


def pieces(
    path: Path | Samples,
    channel: int | None,
    speech: Sequence[Span],
    track: int | None = None,
    start: float = 0.0,
) -> Iterator[tuple[np.ndarray, Span]]:
    """The speech in pieces that a recogniser hears at once: (samples,) float32 at ``RATE`` Hz, and where each lies."""
    windows = SoundWindows(SoundStream(path, channel, track, start))
    for span in _pieces(speech):
        sound = windows.read(span.start, span.end)
        try:
            yield read_waveform(sound, RATE, span.start, span.end), span
        except ClipError:
            continue  # silence, or shorter than a sample


def pieces_of(sound: Sound, span: Span) -> Iterator[tuple[np.ndarray, Span]]:
    """``pieces`` of one span whose sound is in memory."""
    for part in _pieces([span]):
        try:
            yield read_waveform(sound, RATE, part.start, part.end), part
        except ClipError:
            continue


def _pieces(speech: Sequence[Span]) -> Iterator[Span]:
    """Long spans in equal parts that the recogniser can hear at once."""
    for start, end in speech:
        count = max(1, int(np.ceil((end - start) / _LONGEST)))
        edges = np.linspace(start, end, count + 1)
        for i in range(count):
            yield Span(float(edges[i]), float(edges[i + 1]))
