"""Clips cut to their speech, so that training hears what prediction hears."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from affuse.corpora.corpus import Corpus, Utterance
from affuse.corpora.schema import FEATURE_PREFIX
from affuse.errors import AffuseError, ClipError
from affuse.failures import cause_of
from affuse.media.sound import Sound
from affuse.media.speech import RATE, Span, find_speech


def trim(corpus: Corpus, progress: Callable[[int, int], None] = lambda done, total: None) -> Corpus:
    """Cut every clip's times to its first and last speech, as ``affuse predict`` lays its windows.

    A clip without sound, or whose sound cannot be read or has no speech, keeps its times; a note counts them, with the
    first cause.

    Args:
        corpus: Stays as it is.
        progress: Is called with (clips done, all clips).

    Returns:
        The new corpus, which is not saved.

    Raises:
        AffuseError: The corpus has no sound at all.
    """
    table = corpus.table.copy()
    utterances = list(corpus.utterances())
    if not any(one.audio for one in utterances):
        raise AffuseError(f"{corpus.info.name} has no sound to find speech in.")
    for i, one in enumerate(utterances):  # relative to a folder that the new corpus will not be in
        for name, reference in one.features.items():
            table.loc[i, FEATURE_PREFIX + name] = str(Path(reference).absolute())
    kept = 0
    causes: list[str] = []
    for i, one in enumerate(utterances):
        span = None
        try:
            span = speech_of(one)
        except ClipError as error:
            causes.append(cause_of(error, one.id))
        except AffuseError:  # no detector is installed: no clip's fault
            raise
        except Exception as error:
            causes.append(cause_of(error, one.id, "cannot be read"))
        progress(i + 1, len(utterances))
        if span is None:
            kept += 1
            continue
        start = one.start or 0.0
        table.loc[i, ["start", "end"]] = start + span.start, start + span.end
        if one.video is not None and (one.video_start is not None or one.video_end is not None):
            start = one.video_start or 0.0
            table.loc[i, ["video_start", "video_end"]] = start + span.start, start + span.end
    note = f"trimmed to speech (silero-vad); {kept} of {len(table)} clips keep their times"
    if causes:
        note += f", {len(causes)} of them as they cannot be read; the first cause: {causes[0].rstrip('.')}"
    info = corpus.info.model_copy(
        update={"media_root": str(corpus.media_root.resolve()), "notes": [*corpus.info.notes, note]}
    )
    return Corpus(pd.DataFrame(table), info, annotations=corpus.annotations)


def speech_of(utterance: Utterance) -> Span | None:
    """Find the first and the last speech, in seconds after the utterance's start; None where there is none.

    Raises:
        ClipError: The sound cannot be used.
        AffuseError: No detector is installed.
    """
    if utterance.audio is None or isinstance(utterance.audio, Sound):
        return None
    spans = find_speech([utterance.waveform(RATE)], RATE)
    return Span(spans[0].start, spans[-1].end) if spans else None
