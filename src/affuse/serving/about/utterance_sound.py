"""One utterance of a corpus as a WAV file, to be played in a browser."""

from __future__ import annotations

import io

import numpy as np

from affuse.corpora.corpus import Corpus
from affuse.errors import AffuseError, ClipError

RATE = 22_050  # Hz; enough to hear a voice
LONGEST = 60.0  # seconds


def utterance_wav(corpus: Corpus, name: str) -> bytes:
    """Read the utterance's piece of its sound, at most ``LONGEST`` seconds of it: 16 bits, mono.

    Raises:
        AffuseError: The corpus has no such utterance, or none with sound.
        ClipError: Its file cannot be read. The sentence names the utterance, not the file.
    """
    import soundfile

    utterance = next((one for one in corpus.utterances() if one.id == name), None)
    if utterance is None or utterance.audio is None:
        raise AffuseError(f"The corpus has no utterance {name!r} with sound.")
    end = (utterance.start or 0.0) + LONGEST
    end = end if utterance.end is None else min(end, utterance.end)
    try:
        samples = utterance.waveform(RATE, end)
    except ClipError:
        raise ClipError(f"The sound of utterance {name!r} cannot be read on the server.") from None
    held = io.BytesIO()
    soundfile.write(held, np.clip(samples, -1, 1), RATE, format="WAV", subtype="PCM_16")
    return held.getvalue()
