"""Timelines as files: one small class per format."""

from affuse.inference.writers.audacity import AudacityWriter
from affuse.inference.writers.base import Writer, say
from affuse.inference.writers.json import JsonWriter
from affuse.inference.writers.subtitles import SrtWriter, VttWriter
from affuse.inference.writers.suffixes import PICTURES, WRITERS, format_of
from affuse.inference.writers.table import CsvWriter, CurveWriter

__all__ = [
    "PICTURES", "WRITERS", "AudacityWriter", "CsvWriter", "CurveWriter", "JsonWriter", "SrtWriter", "VttWriter",
    "Writer", "format_of", "say",
]  # fmt: skip
