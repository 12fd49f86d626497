"""One clip -> speech -> windows -> probabilities -> timeline. Memory does not depend on a file's length."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from affuse.devices import choose_device
from affuse.encoders.base import Encoder
from affuse.errors import AffuseError, ClipError, argument
from affuse.inference.chosen_classes import choose_classes
from affuse.inference.clip_range import ClipRange
from affuse.inference.clip_words import ClipWords
from affuse.inference.judge import Judge
from affuse.inference.settings import Settings
from affuse.inference.sound_scan import SoundScan, scan_sound
from affuse.inference.timeline import Timeline
from affuse.inference.tracks import Tracks, find_tracks
from affuse.inference.window_answers import WindowAnswers, WindowNetwork
from affuse.inference.window_reader import WindowReader
from affuse.inference.windows import check_lengths, lay_windows, smooth
from affuse.inference.words import fit, speech_with
from affuse.media.samples import Samples
from affuse.media.speech import Span
from affuse.models.network import Model
from affuse.progress import Advance, uncounted

NO_RECOGNISER = "none"  # as ``asr``
USUAL_WINDOW = 3.0  # seconds, where the model does not know how long its training clips were
# of a window that is not asked for: a usual utterance is one window, but feelings change within ten seconds
_SHORTEST, _LONGEST = 0.5, 6.0
_MUCH = 0.25  # share of a training clip that is silence, from which windows of speech differ from it
_WHAT = {"audio": "sound", "text": "words", "video": "pictures", "features": "pre-extracted features"}


class Predictor:
    """A model made ready to predict clips: its frozen encoders are loaded once.

    Args:
        model: Trained; it is put into evaluation mode.
        settings: How clips are read and windows laid; None takes every default.
        like: A predictor of the same model, whose encoders and recogniser are used again.

    Raises:
        AffuseError: Settings that do not fit the model, or a model that reads nothing that a clip can give.
    """

    def __init__(self, model: Model, settings: Settings | None = None, like: Predictor | None = None) -> None:
        self.model = model.eval()
        settings = settings or Settings()
        self.settings = settings.model_copy(update={"device": choose_device(settings.device)})
        lengths = model.defaults.clip_seconds
        usual = USUAL_WINDOW if lengths is None else round(min(_LONGEST, max(_SHORTEST, lengths.high)), 2)
        self.window = self.settings.window if self.settings.window is not None else usual
        self.hop = self.settings.hop if self.settings.hop is not None else self.window / 2
        check_lengths(self.window, self.hop)
        self._chosen = choose_classes(model.label_spaces, self.settings.classes)
        self.kinds = {name: encoder.kind for name, encoder in model.resolved.items()}
        loaded = {} if like is None else dict(like.encoders)
        self._wordless = ""  # why the model's own recogniser is not used
        self.settings = self.settings.model_copy(update={"asr": self._recogniser(loaded)})
        # a large network for words that nobody gives need not be here, nor take its time
        wordless = [name for name, kind in self.kinds.items() if kind == "text" and not self.settings.worded]
        self._network = WindowNetwork(model, self.settings.device, self.settings.batch, wordless, loaded)
        self.encoders = self._network.encoders
        if set(self.kinds.values()) == {"features"}:
            raise AffuseError(
                "This model reads pre-extracted features alone, which cannot be taken from a clip; evaluate it on a "
                "corpus that has them (affuse.evaluate, affuse evaluate)."
            )
        self.words = ClipWords(self.settings, None if like is None else like.words)
        threshold = self.settings.unsure
        confidence = {task: model.defaults.of_task(task) for task in model.label_spaces}
        self.judge = Judge(
            model.label_spaces,
            {t: one.unsure_below if threshold is None else threshold for t, one in confidence.items()},
            self._chosen.kept,
            among_all=threshold is None,
        )

    def _recogniser(self, loaded: dict[str, Encoder]) -> str | None:
        """The recogniser that is asked for; where no words are given, the model's own if its words can be read."""
        asked, own = self.settings.asr, self.model.defaults.recogniser
        if asked == NO_RECOGNISER:
            return None
        if own is None or self.settings.worded:
            return asked
        for name, kind in self.kinds.items():
            if kind == "text" and name not in loaded:
                try:
                    loaded[name] = self.model.resolved[name].make().eval().to(self.settings.device)
                except AffuseError as error:  # an extra that is not installed
                    self._wordless = f"The words are not recognised: {error}"
                    return None
        return own

    def predict(self, clip: str | Path | Samples, advance: Advance = uncounted) -> Timeline:
        """The timeline of one file, or of sound in memory.

        Args:
            clip: A path, or samples with their rate.
            advance: Called with (windows done, all windows).

        Raises:
            ClipError: Not media, nothing to decode, none of the model's modalities in it.
        """
        path = clip if isinstance(clip, Samples) else Path(clip)
        asked = ClipRange.of(path, self.settings)
        tracks = find_tracks(path)
        self._check_modalities(path, tracks)
        faults: list[str] = list(tracks.notes) if "video" in self.kinds.values() else []
        heard = self._scan_sound(path, tracks, asked)
        faults += asked.remarks(path, heard.seconds)
        if heard.fault:
            faults.append(heard.fault)
        faults += heard.remarks
        cues, strange, notes = fit(self.words.transcript, asked.file_seconds(heard.seconds, tracks.seconds))
        within = asked.cues(cues)
        if cues and not within:
            strange = [
                f"No cue of {self.settings.text} lies from {asked.start:g} s to {heard.seconds:.2f} s."
            ]
        cues = within
        missing = self.words.missing(path) if "text" in self.kinds.values() else []
        faults += [*missing, *strange, *notes]
        heard = heard._replace(speech=speech_with(cues, heard.speech, heard.seconds))
        words = self.words.words(path, heard, cues)
        windows = lay_windows(heard.speech, self.window, self.hop)
        reader = WindowReader(path, tracks, self.encoders, self.settings, words, windows)
        answers = self._network.answer(reader, len(windows), advance)
        faults += [cause for cause in (*answers.causes, reader.fault) if cause and cause not in faults]
        moments = smooth(windows, answers.probabilities)
        if windows and not moments:
            causes = [*strange, *answers.causes, reader.fault, f"{path} has nothing that this model reads."]
            raise ClipError(next(filter(None, causes)))
        return Timeline(
            clip=path.name if isinstance(path, Samples) else str(path),
            seconds=heard.seconds - asked.start,
            start=asked.start,
            segments=self.judge.segments(moments, answers.given, words),
            summary=self.judge.summary(moments),
            spaces=self.judge.spaces,
            left_out={task: list(names) for task, names in self._chosen.left_out.items()},
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
        restricted = self._chosen.sentence(by_fit=self.settings.unsure is None)
        notes = self.model.defaults.notes(self.model.label_spaces)
        return " ".join(filter(None, (restricted, self._wordless, self._silence(), *notes)))

    def _silence(self) -> str:
        """That training clips have silence, which windows of speech have not."""
        lengths = self.model.defaults.clip_seconds
        if lengths is None or not lengths.silence or lengths.silence < _MUCH * lengths.median:
            return ""
        if "audio" not in self.kinds.values() or self.settings.vad is False:
            return ""
        return (
            f"The training clips are silent for {lengths.silence:.1f} s of {lengths.median:.1f} s (medians), "
            "but prediction windows hold speech alone: train on a corpus that 'affuse prepare trim' made, or expect "
            "worse answers."
        )

    def _never_given(self, answers: WindowAnswers) -> list[str]:
        """What is to be said of modalities that no clip can give."""
        given = {name for names in answers.given for name in names}
        return [
            f"The modality {name!r} is {_WHAT[kind]}, which cannot be taken from a clip: every answer is without it."
            for name, kind in self.kinds.items()
            if kind == "features" and answers.given and name not in given
        ]

    def _scan_sound(self, path: Path | Samples, tracks: Tracks, asked: ClipRange) -> SoundScan:
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
            raise ClipError(f"{path} has no sound to find speech in; leave {argument('vad')} out.")
        if not tracks.seconds:
            raise ClipError(f"{path} does not say how long it is and has no sound; convert it (mp4, mkv).")
        seconds = asked.until(tracks.seconds)
        return SoundScan(seconds, [Span(asked.start, seconds)], np.zeros(0, np.float32), "")

    def _check_modalities(self, path: Path | Samples, tracks: Tracks) -> None:
        there = {"audio": tracks.sound, "video": tracks.picture, "text": self.words.known(tracks.sound)}
        if any(there.get(kind, False) for kind in self.kinds.values()):
            return
        reads = ", ".join(f"{name} ({_WHAT[kind]})" for name, kind in self.kinds.items())
        has = " and ".join(
            name for name, is_there in (("sound", tracks.sound), ("pictures", tracks.picture)) if is_there
        )
        cure = "give a file that has them"
        if "text" in self.kinds.values():
            cure = f"give {argument('text')} (a file of words) or {argument('asr')} (a recogniser)"
        has = f"{has} only" if has else "neither sound nor pictures"
        raise ClipError(f"{path} has {has}, and this model reads {reads}; {cure}.")
