"""One clip -> speech -> windows -> probabilities -> timeline. Memory does not depend on the clip's length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from affuse.encoders.base import Encoder
from affuse.errors import AffuseError, ClipError
from affuse.evaluation.calibration import apply_temperature
from affuse.inference.clip_range import ClipRange
from affuse.inference.settings import Settings
from affuse.inference.sound_scan import SoundScan, scan_sound
from affuse.inference.timeline import Judge, Timeline
from affuse.inference.tracks import Tracks, find_tracks
from affuse.inference.window_reader import WindowReader
from affuse.inference.windows import Window, check_lengths, lay_windows, smooth
from affuse.inference.words import Cue, Transcript, Word, composed, fit, place, read_transcript, speech_with
from affuse.media.speech import Span
from affuse.models.network import Model
from affuse.sequence import FeatureSequence, pad

_T = TypeVar("_T")

USUAL_WINDOW = 3.0  # seconds, where the model does not know how long its training clips were
# of a window that is not asked for: a usual utterance is one window, but feelings change within ten seconds
_SHORTEST, _LONGEST = 0.5, 6.0
_MUCH = 0.25  # share of a training clip that is silence, from which windows of speech differ from it
_WHAT = {"audio": "sound", "text": "words", "video": "pictures", "features": "pre-extracted features"}


class _Answers(NamedTuple):
    probabilities: dict[
        str, np.ndarray
    ]  # task -> (windows, classes), NaN where a window had nothing to go by
    given: list[tuple[str, ...]]  # modalities of each window
    causes: list[str]  # why a modality could not be read, each cause once


class Predictor:
    """A model made ready to predict clips: its frozen encoders are loaded once, or taken from ``like``.

    Raises AffuseError for settings that do not fit the model.
    """

    def __init__(self, model: Model, settings: Settings | None = None, like: Predictor | None = None) -> None:
        self.model = model.eval()
        self.settings = settings or Settings.of({})
        lengths = model.defaults.clip_seconds
        usual = USUAL_WINDOW if lengths is None else round(min(_LONGEST, max(_SHORTEST, lengths.high)), 2)
        self.window = self.settings.window if self.settings.window is not None else usual
        self.hop = self.settings.hop if self.settings.hop is not None else self.window / 2
        check_lengths(self.window, self.hop)
        self.encoders = like.encoders if like is not None else self._load_encoders()
        self.kinds = {name: encoder.kind for name, encoder in self.encoders.items()}
        if set(self.kinds.values()) == {"features"}:
            raise AffuseError(
                "This model reads pre-extracted features alone, which cannot be taken from a clip; use "
                "'affuse evaluate' on a corpus that has them."
            )
        self.transcript = self._read_words()
        self.recogniser: Any = None
        if like is not None and like.settings.asr == self.settings.asr:
            self.recogniser = like.recogniser
        elif self.settings.asr is not None:
            from affuse.inference.recogniser import Recogniser

            self.recogniser = Recogniser(self.settings.asr, self.settings.device)
        confidence = {task: model.defaults.of_task(task) for task in model.label_spaces}
        self.temperature = {task: one.temperature for task, one in confidence.items()}
        threshold = self.settings.unsure
        self.judge = Judge(
            model.label_spaces,
            {t: one.unsure_below if threshold is None else threshold for t, one in confidence.items()},
        )

    def predict(
        self, clip: str | Path, advance: Callable[[int, int], None] = lambda done, total: None
    ) -> Timeline:
        """The timeline of one file; ``advance`` hears of (windows done, all windows).

        Raises ClipError, one sentence: not media, nothing to decode, none of the model's modalities in it.
        """
        path = Path(clip)
        asked = ClipRange.of(path, self.settings)
        tracks = find_tracks(path)
        self._check_modalities(path, tracks)
        faults: list[str] = list(tracks.notes) if "video" in self.kinds.values() else []
        heard = self._scan_sound(path, tracks, asked)
        faults += asked.remarks(path, heard.seconds)
        if heard.fault:
            faults.append(heard.fault)
        faults += heard.remarks
        cues, strange, notes = fit(self.transcript, asked.file_seconds(heard.seconds, tracks.seconds))
        within = asked.cues(cues)
        if cues and not within:
            strange = [
                f"No cue of {self.settings.text} lies from {asked.start:g} s to {heard.seconds:.2f} s."
            ]
        cues = within
        faults += [*self._missing_words(path), *strange, *notes]
        heard = heard._replace(speech=speech_with(cues, heard.speech, heard.seconds))
        words = self._words(path, heard, cues)
        windows = lay_windows(heard.speech, self.window, self.hop)
        reader = WindowReader(path, tracks, self.encoders, self.settings, words, windows)
        answers = self._answer(reader, windows, advance)
        faults += [cause for cause in (*answers.causes, reader.fault) if cause and cause not in faults]
        moments = smooth(windows, answers.probabilities)
        if windows and not moments:
            causes = [*strange, *answers.causes, f"{path} has nothing that this model reads."]
            raise ClipError(causes[0])
        return Timeline(
            clip=str(path),
            seconds=heard.seconds - asked.start,
            start=asked.start,
            segments=self.judge.segments(moments, answers.given, words),
            summary=self.judge.summary(moments),
            spaces=self.judge.spaces,
            window=self.window,
            hop=self.hop,
            words=words,
            faults=faults,
            warning=" ".join(filter(None, (self.warning, *self._never_given(answers)))),
            peaks=heard.peaks,
            pictures=reader.pictures,
        )

    @property
    def warning(self) -> str:
        """What should be known before the answers are believed, or ""."""
        return " ".join(filter(None, (self._silence(), *self.model.defaults.notes(self.model.label_spaces))))

    def _silence(self) -> str:
        """That training clips have silence, which windows of speech have not."""
        lengths = self.model.defaults.clip_seconds
        if lengths is None or not lengths.silence or lengths.silence < _MUCH * lengths.median:
            return ""
        if "audio" not in self.kinds.values() or self.settings.vad is False:
            return ""
        return (
            f"Training clips are silent for {lengths.silence:.1f} s of {lengths.median:.1f} s (medians), "
            "and windows hold speech alone: train on a corpus that 'affuse prepare trim' made, or expect worse."
        )

    def _never_given(self, answers: _Answers) -> list[str]:
        """What is to be said of modalities that no clip can give."""
        given = {name for names in answers.given for name in names}
        return [
            f"The modality {name!r} is {_WHAT[kind]}, which cannot be taken from a clip: every answer is without it."
            for name, kind in self.kinds.items()
            if kind == "features" and answers.given and name not in given
        ]

    def _load_encoders(self) -> dict[str, Encoder]:
        encoders: dict[str, Encoder] = {}
        for name, resolved in self.model.resolved.items():
            if resolved.frozen:
                encoders[name] = resolved.make().eval().to(self.settings.device)
            else:
                encoders[name] = self.model.encoders[name]  # type: ignore[assignment]
        return encoders

    def _scan_sound(self, path: Path, tracks: Tracks, asked: ClipRange) -> SoundScan:
        """Length, speech and loudness; a clip without sound, or whose sound nobody asks for, is one span."""
        vad = self.settings.vad
        detect = set(self.kinds.values()) - {"features"} != {"video"} if vad is None else vad
        if tracks.sound:
            heard = scan_sound(
                path, self.settings.channel, detect, asked.start, asked.end, self.settings.track
            )
            whole = asked.until(float(tracks.seconds or 0))
            if heard.seconds and not detect and tracks.picture and whole > heard.seconds:
                # pictures may go on after the sound: the whole clip is asked for, not what was said in it
                return heard._replace(seconds=whole, speech=[Span(asked.start, whole)])
            if heard.seconds:
                return heard
            if not tracks.picture or "video" not in self.kinds.values():
                raise ClipError(f"{path} has no sound that can be decoded; convert it or fetch it again.")
        if vad and not tracks.sound:
            raise ClipError(f"{path} has no sound to find speech in; leave --vad out.")
        if not tracks.seconds:
            raise ClipError(f"{path} does not say how long it is and has no sound; convert it (mp4, mkv).")
        seconds = asked.until(tracks.seconds)
        return SoundScan(seconds, [Span(asked.start, seconds)], np.zeros(0, np.float32), "")

    def _check_modalities(self, path: Path, tracks: Tracks) -> None:
        there = {"audio": tracks.sound, "video": tracks.picture, "text": self._has_words(tracks)}
        if any(there.get(kind, False) for kind in self.kinds.values()):
            return
        reads = ", ".join(f"{name} ({_WHAT[kind]})" for name, kind in self.kinds.items())
        has = " and ".join(
            name for name, is_there in (("sound", tracks.sound), ("pictures", tracks.picture)) if is_there
        )
        cure = (
            "give --text FILE or --asr ID" if "text" in self.kinds.values() else "give a file that has them"
        )
        has = f"{has} only" if has else "neither sound nor pictures"
        raise ClipError(f"{path} has {has}, and this model reads {reads}; {cure}.")

    def _has_words(self, tracks: Tracks) -> bool:
        return bool(self.transcript.cues) or (self.recogniser is not None and tracks.sound)

    def _read_words(self) -> Transcript:
        settings = self.settings
        if sum(given is not None for given in (settings.text, settings.words, settings.asr)) > 1:
            raise AffuseError("Words come from --text or from --asr, not from both.")
        if settings.words is not None and settings.words.strip():
            return Transcript([Cue(None, None, " ".join(composed(settings.words).split()))])
        if settings.text is None or settings.text.is_dir():
            return Transcript([])
        return read_transcript(settings.text)

    def _missing_words(self, path: Path) -> list[str]:
        """A folder of words is still in the settings where it has none for the clip."""
        folder = self.settings.text
        if folder is None or "text" not in self.kinds.values() or not folder.is_dir():
            return []
        return [f"No words for {path} in {folder}: predicted without."]

    def _words(self, path: Path, heard: SoundScan, cues: Sequence[Cue]) -> list[Word]:
        if self.recogniser is not None:
            settings = self.settings
            return self.recogniser.hear(
                path, settings.channel, heard.speech, settings.track, settings.start or 0.0
            )
        return place(cues, heard.speech)

    def _answer(
        self, reader: WindowReader, windows: Sequence[Window], advance: Callable[[int, int], None]
    ) -> _Answers:
        spaces = self.model.label_spaces
        found = {task: np.full((len(windows), len(space)), np.nan) for task, space in spaces.items()}
        given: list[tuple[str, ...]] = []
        causes: dict[str, None] = {}
        self.model.to(self.settings.device)
        done = 0
        for batch in _batches(reader, self._batch_size()):
            clips = self._encode([tensors for tensors, _ in batch])
            if clips:
                with torch.inference_mode():
                    logits = self.model(clips).logits
                some = torch.stack([sequence.present for sequence in clips.values()]).any(dim=0).cpu().numpy()
                rows = np.arange(done, done + len(batch))[some]
                for task, values in logits.items():
                    p = values.double().softmax(dim=1).cpu().numpy()[some]
                    found[task][rows] = apply_temperature(p, self.temperature[task])
            for tensors, cause in batch:
                given.append(tuple(name for name, tensor in tensors.items() if tensor is not None))
                causes |= dict.fromkeys(cause)
            done += len(batch)
            advance(done, len(windows))
        return _Answers(found, given, list(causes))

    def _encode(self, rows: list[dict[str, Tensor | None]]) -> dict[str, FeatureSequence]:
        """A batch of windows as the network takes it; a modality that no window has is left out."""
        clips = {}
        for name, encoder in self.encoders.items():
            tensors = [row.get(name) for row in rows]
            if all(tensor is None for tensor in tensors):
                continue
            if not self.model.recipe.modalities[name].frozen:
                clips[name] = pad(tensors).to(self.settings.device)
                continue
            # a window of faces is a batch of frames already
            size = 1 if encoder.kind == "video" else len(tensors)
            features: list[Tensor | None] = []
            with torch.inference_mode():
                for part in _batches(tensors, size):
                    if all(tensor is None for tensor in part):
                        features += [None] * len(part)
                        continue
                    output = encoder(pad(part).to(self.settings.device))
                    features += [
                        values[mask] if bool(mask.any()) else None
                        for values, mask in zip(output.values, output.mask, strict=True)
                    ]
            clips[name] = pad(features)
        return {name: clip.to(self.settings.device) for name, clip in clips.items()}

    def _batch_size(self) -> int:
        """Trained picture networks hold the activations of every frame of a batch at once."""
        trained = any(
            kind == "video" and not self.model.recipe.modalities[name].frozen
            for name, kind in self.kinds.items()
        )
        return min(self.settings.batch, 2) if trained else self.settings.batch


def _batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch
