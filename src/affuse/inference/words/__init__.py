"""The words of a clip and when they are said: from files of many formats to words with times."""

from affuse.inference.words.cues import Cue, Transcript, Word
from affuse.inference.words.decode_text import composed, read_text
from affuse.inference.words.fit_to_clip import fit
from affuse.inference.words.formats import SUFFIXES
from affuse.inference.words.place_in_speech import place, speech_with, text_between
from affuse.inference.words.reading import read_transcript
from affuse.inference.words.subtitles import parse_cues

__all__ = [
    "SUFFIXES", "Cue", "Transcript", "Word", "composed", "fit", "parse_cues", "place", "read_text", "read_transcript",
    "speech_with", "text_between",
]  # fmt: skip
