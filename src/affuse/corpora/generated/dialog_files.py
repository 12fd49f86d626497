"""Everything that a generated release has about one dialog: texts, sound, film."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import soundfile

from affuse.corpora.generated.annotators import evaluate
from affuse.corpora.generated.people import make_actor, make_room
from affuse.corpora.generated.script import Dialog
from affuse.corpora.generated.seeding import stream
from affuse.corpora.generated.texts import (
    annotator_texts,
    evaluation_text,
    lab_texts,
    transcription_text,
)
from affuse.corpora.generated.video import write_video
from affuse.corpora.generated.voice import RATE, room_noise, speak

_CROSSTALK = 0.08  # how much of each actor the other's microphone hears


def write_dialog(root: Path, seed: int, video: bool, dialog: Dialog) -> None:
    """Write everything the release has about one dialog."""
    cv2.setNumThreads(1)  # the dialogs are shared among processes already
    session = root / f"Session{dialog.session}"
    folder = session / "dialog"
    room = make_room(seed, dialog.session)
    actors = {gender: make_actor(seed, dialog.session, gender) for gender in "FM"}
    evaluations = evaluate(dialog, seed)
    # Every second dialog ends its last block with the file, as some of the release do.
    blank = dialog.name[5] == "F"
    evaluation = folder / "EmoEvaluation"
    _write_latin(evaluation / f"{dialog.name}.txt", evaluation_text(evaluations, final_blank=blank))
    for name in ("Attribute", "Categorical", "Self-evaluation"):
        (evaluation / name).mkdir(parents=True, exist_ok=True)
    for name, text in annotator_texts(dialog, evaluations).items():
        _write_latin(evaluation / name, text)
    _write_latin(folder / "transcriptions" / f"{dialog.name}.txt", transcription_text(dialog))
    for name, text in lab_texts(dialog).items():
        _write_latin(folder / "lab" / name, text)

    sentences = session / "sentences" / "wav" / dialog.name
    sentences.mkdir(parents=True, exist_ok=True)
    stage_nc = np.stack(
        [
            room_noise(round(dialog.seconds * RATE), room, stream(seed, "stage", dialog.name, gender))
            for gender in "FM"
        ],
        axis=1,
    )
    for turn in dialog.turns:
        rng = stream(seed, "voice", turn.id)
        sound_n = speak(actors[turn.gender].voice, turn.shown["audio"], turn.end - turn.start, room, rng)
        _write_wav(sentences / f"{turn.id}.wav", sound_n)
        start, own = round(turn.start * RATE), "FM".index(turn.gender)
        stage_nc[start : start + len(sound_n), own] += sound_n
        stage_nc[start : start + len(sound_n), 1 - own] += _CROSSTALK * sound_n
    sound_nc = np.rint(np.clip(stage_nc, -0.99, 0.99) * 32767).astype(np.int16)
    (folder / "wav").mkdir(exist_ok=True)
    _write_wav(folder / "wav" / f"{dialog.name}.wav", sound_nc)
    if video:
        pictures = folder / "avi" / "DivX"
        pictures.mkdir(parents=True, exist_ok=True)
        write_video(pictures / f"{dialog.name}.avi", dialog, actors, room, sound_nc, seed)


def _write_latin(path: Path, text: str) -> None:
    """The release's text files are latin-1. The whole release is put in place at once, so no rename here."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("latin-1"))


def _write_wav(path: Path, sound: np.ndarray) -> None:
    """16 bits at RATE. libsndfile would wait for the disk after every file (a few milliseconds, a thousand times)."""
    data = io.BytesIO()
    soundfile.write(data, sound, RATE, format="WAV", subtype="PCM_16")
    path.write_bytes(data.getbuffer())
