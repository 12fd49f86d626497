"""Timelines as files: one small class per format."""

from affuse.inference.writers.audacity import AudacityWriter
from affuse.inference.writers.base import Writer
from affuse.inference.writers.json import JsonWriter
from affuse.inference.writers.subtitles import SrtWriter, VttWriter
from affuse.inference.writers.table import CsvWriter

WRITERS: dict[str, type[Writer]] = {
    writer.name: writer for writer in (JsonWriter, CsvWriter, SrtWriter, VttWriter, AudacityWriter)
}

__all__ = ["WRITERS", "AudacityWriter", "CsvWriter", "JsonWriter", "SrtWriter", "VttWriter", "Writer"]
