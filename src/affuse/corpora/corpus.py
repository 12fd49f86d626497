"""The corpus folder: ``utterances.parquet`` + ``corpus.yaml``, read, checked and written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml
from pydantic import ValidationError

from affuse.corpora.corpus_files import INFO, TABLE, check_corpus_folder, corpus_outputs
from affuse.corpora.schema import (
    COLUMNS,
    FEATURE_PREFIX,
    INFO_TEXTS,
    NUMBER_COLUMNS,
    PATH_COLUMNS,
    CorpusInfo,
)
from affuse.errors import AffuseError
from affuse.files import digest, replacing, write_text
from affuse.files.names import find, written
from affuse.files.yaml_text import needs_quotes, read_yaml_file, write_yaml
from affuse.names import tidy

if TYPE_CHECKING:
    import numpy as np

    from affuse.media.sound import Sound


@dataclass(frozen=True)
class Utterance:
    """One row with its paths resolved. Blank fields are None."""

    id: str
    audio: Path | Sound | None = None  # a file, or sound that was decoded already
    video: Path | None = None
    text: str | None = None
    start: float | None = None  # seconds
    end: float | None = None  # seconds
    channel: int | None = None
    track: int | None = None  # of the sound
    side: str | None = None
    features: dict[str, str] = field(default_factory=dict)  # name -> absolute "path[#key][#row]"
    video_start: float | None = None  # seconds into the video, where its clock is not the audio's
    video_end: float | None = None  # seconds

    def waveform(self, rate: int, end: float | None = None) -> np.ndarray:
        """(samples,) float32, mono, at ``rate`` Hz: the row's piece of its sound, from its channel of its track.

        end: seconds into the file, where the row's own end is not the one to stop at
        Raises ClipError as ``media.audio.read_waveform`` does. The row has audio.
        """
        from affuse.media.audio import read_waveform  # decoders are slow to import

        assert self.audio is not None
        last = self.end if end is None else end
        return read_waveform(self.audio, rate, self.start, last, self.channel, self.track)

    def span(self, kind: str) -> tuple[float | None, float | None]:
        """Start and end in seconds within the file of ``kind``: a video may have a clock of its own."""
        if kind == "video" and not (self.video_start is None and self.video_end is None):
            return self.video_start, self.video_end
        return self.start, self.end


class Corpus:
    """A table of utterances and what is known about it.

    ``table`` has every column of ``schema.COLUMNS`` (blank: null) and may have more. ``folder`` is where it
    was read from or written to; relative feature paths resolve against it, media against ``media_root``.
    """

    def __init__(self, table: pd.DataFrame, info: CorpusInfo, folder: str | Path | None = None) -> None:
        self.table = _normalise(table)
        self.info = info
        self.folder = None if folder is None else Path(folder)

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"Corpus({self.info.name!r}, {len(self)} utterances)"

    @property
    def media_root(self) -> Path:
        root = find(self.info.media_root)
        return root if root.is_absolute() or self.folder is None else self.folder / root

    @property
    def feature_names(self) -> list[str]:
        return [
            name.removeprefix(FEATURE_PREFIX)
            for name in self.table.columns
            if name.startswith(FEATURE_PREFIX)
        ]

    @property
    def hash(self) -> str:
        """Digest of the table and of what the labels mean; media content is hashed by the feature cache.

        A blank column ``track`` leaves it as it was before there was one.
        """
        table = self.table if self.table["track"].notna().any() else self.table.drop(columns="track")
        return digest(table.to_csv(index=False), yaml.safe_dump(self.info.label_spaces, sort_keys=True))

    def utterances(self) -> Iterator[Utterance]:
        """Every row, in table order, with paths resolved."""
        for row in self.table.to_dict("records"):
            yield self._utterance(row)

    def _utterance(self, row: Mapping[Any, Any]) -> Utterance:
        def get(name: str) -> Any:
            value = row[name]
            return None if pd.isna(value) else value

        base = self.folder or Path()
        channel, track = get("channel"), get("track")
        return Utterance(
            id=row["id"],
            audio=None if get("audio") is None else self.media(get("audio")),
            video=None if get("video") is None else self.media(get("video")),
            text=get("text"),
            start=get("start"),
            end=get("end"),
            channel=None if channel is None else int(channel),
            track=None if track is None else int(track),
            side=get("side"),
            video_start=get("video_start"),
            video_end=get("video_end"),
            features={
                name: str(base / ref)
                for name in self.feature_names
                if (ref := get(FEATURE_PREFIX + name)) is not None
            },
        )

    def media(self, path: str) -> Path:
        """The file that a row's audio or video names, whatever its name is on this disk (``files.names.find``)."""
        return find(self.media_root / path)

    @classmethod
    def load(cls, folder: str | Path) -> Corpus:
        """Read a corpus folder. Raises AffuseError naming the file and field that is wrong."""
        folder = Path(folder)
        check_corpus_folder(folder)
        try:
            info = CorpusInfo.model_validate(read_yaml_file(folder / INFO, INFO_TEXTS))
        except ValidationError as error:
            raise AffuseError(
                f"{folder / INFO}: {first_problem(error)}; mend it or prepare the corpus again."
            ) from None
        try:
            table = pd.read_parquet(folder / TABLE)
        except Exception as error:  # pyarrow raises several kinds for a damaged file
            raise AffuseError(
                f"{folder / TABLE} cannot be read ({error}); prepare the corpus again."
            ) from None
        if "id" not in table.columns:
            raise AffuseError(f"{folder / TABLE} has no column 'id'; prepare the corpus again.")
        return cls(table, info, folder)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Corpus:
        """Write the folder (the table first, ``corpus.yaml`` last, each atomically) and return it as loaded.

        Raises AffuseError for a folder with files of these names that affuse did not write, or that were edited
        since, and for another corpus's; with ``overwrite`` they are replaced.
        """
        folder = Path(folder)
        outputs = corpus_outputs(folder, overwrite=overwrite)
        if not outputs.overwrite and (folder / INFO).is_file():
            other = Corpus.load(folder).info.name
            if other != self.info.name:
                raise AffuseError(f"{folder} holds the corpus {other!r}; choose another folder or remove it.")
        with outputs.writing():
            with replacing(folder / TABLE) as temporary:
                self.table.to_parquet(temporary, index=False)
            write_text(folder / INFO, write_yaml(self.info.model_dump()))
        self.folder = folder
        return self


def first_problem(error: Exception) -> str:
    """The first finding of a pydantic error as 'field: message', or the error's own first line."""
    if isinstance(error, ValidationError):
        finding = error.errors()[0]
        where = ".".join(str(part) for part in finding["loc"])
        return f"{where or 'the file'}: {needs_quotes(dict(finding)) or finding['msg']}"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _normalise(table: pd.DataFrame) -> pd.DataFrame:
    """All of COLUMNS present and first, text as tidy strings, numbers as floats, empty strings as blanks."""
    table = table.reset_index(drop=True).copy()
    table = table.rename(columns=lambda name: tidy(str(name)))
    names = list(table.columns)
    for name in names:
        if names.count(name) > 1:
            raise AffuseError(f"The corpus has the column {name!r} twice; rename one.")
    for name in COLUMNS:
        if name not in table.columns:
            table[name] = None
    extra = [name for name in table.columns if name not in COLUMNS]
    for name in (*COLUMNS, *(n for n in extra if n.startswith(FEATURE_PREFIX))):
        if name in NUMBER_COLUMNS:
            table[name] = pd.to_numeric(table[name], errors="coerce").astype("float64")
        else:
            column = table[name]
            if column.dtype == object:  # names with bytes that are no text, which no table keeps
                column = column.map(lambda cell: written(cell) if isinstance(cell, str) else cell)
            text = column.astype("string")
            if name == "text":
                text = text.str.normalize("NFC")
            elif name not in PATH_COLUMNS and name in COLUMNS:
                text = text.map(tidy, na_action="ignore").astype("string")
            table[name] = text.mask(text.str.strip() == "")
    for name in extra:  # other tasks' labels, groups to split by
        if not name.startswith(FEATURE_PREFIX) and pd.api.types.infer_dtype(table[name]) == "string":
            table[name] = table[name].map(tidy, na_action="ignore").astype(table[name].dtype)
    return table[[*COLUMNS, *extra]]
