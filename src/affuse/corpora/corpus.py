"""The corpus folder: ``utterances.parquet`` + ``corpus.yaml``, read, checked and written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from pydantic import ValidationError

from affuse.arguments import checked
from affuse.corpora import overview
from affuse.corpora.annotations import check_annotations, read_annotations, write_annotations
from affuse.corpora.corpus_files import INFO, TABLE, check_corpus_folder, corpus_outputs
from affuse.corpora.normalise import normalise
from affuse.corpora.schema import (
    FEATURE_PREFIX,
    INFO_TEXTS,
    CorpusInfo,
    first_problem,
)
from affuse.corpora.table import check_table, table_options
from affuse.corpora.utterance import Utterance
from affuse.errors import AffuseError, name_arguments
from affuse.files import digest, replacing, write_text
from affuse.files.names import find
from affuse.files.yaml_text import read_yaml_file, write_yaml
from affuse.tables import read_frame


class Corpus:
    """A table of utterances and what is known about it.

    Made by ``affuse.prepare``, read by ``Corpus.load``, or made from a data frame by ``Corpus.from_frame``. It can be
    trained on whether it was saved or not.

    Args:
        table: One row per utterance, with any of the columns of ``schema.COLUMNS`` (blank: null) and others.
        info: What the table means and where it came from (``corpus.yaml``).
        folder: Where it was read from or written to; relative feature paths resolve against it, media against
            ``media_root``.
        remarks: What was guessed or passed over when the table was read, in sentences; not saved.
        annotations: What each rater said, a row per vote or rating; see ``corpora.annotations``. None: what the folder
            keeps, if it does.

    Examples:
        >>> import affuse, pandas as pd
        >>> frame = pd.DataFrame({"text": ["go away", "how nice"], "emotion": ["anger", "happiness"]})
        >>> corpus = affuse.Corpus.from_frame(frame, name="mine")
        >>> corpus
        Corpus('mine', 2 utterances, emotion: anger 1, happiness 1)
        >>> len(corpus)
        2
        >>> corpus.table["id"].tolist()
        ['utterance1', 'utterance2']
    """

    def __init__(
        self,
        table: pd.DataFrame,
        info: CorpusInfo,
        folder: str | Path | None = None,
        remarks: Sequence[str] = (),
        annotations: pd.DataFrame | None = None,
    ) -> None:
        self.table = normalise(table)
        self.info = info
        self.folder = None if folder is None else Path(folder)
        self.remarks = tuple(name_arguments(remark) for remark in remarks)
        self._annotations = None if annotations is None else check_annotations(annotations, self.table)

    def altered(self, table: pd.DataFrame, info: CorpusInfo | None = None) -> Corpus:
        """The same corpus with other rows, columns or labels; what raters said of the rows that stay is kept."""
        other = type(self)(table, info or self.info, self.folder)
        other._annotations = self._annotations
        return other

    @property
    def annotations(self) -> pd.DataFrame | None:
        """What raters said of the table's utterances, as ``corpora.annotations`` has it; None where none was kept.

        Raises:
            AffuseError: The folder's file is damaged, or does not fit the corpus.
        """
        if self._annotations is None and self.folder is not None:
            self._annotations = read_annotations(self.folder)
        if self._annotations is None:
            return None
        here = self._annotations["id"].isin(self.table["id"])
        return self._annotations[here].reset_index(drop=True)

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return overview.line(self.table, self.info)

    def _repr_html_(self) -> str:
        return overview.page(self.table, self.info, self.remarks)

    @classmethod
    @checked
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        name: str = "corpus",
        title: str | None = None,
        labels: Mapping[str, Sequence[str] | Mapping[str, str | None]] | None = None,
        media_root: str | Path | None = None,
        columns: Mapping[str, str] | None = None,
        votes: str = "",
        require: Sequence[str] = (),
        licence: str = "",
        language: str = "",
        notes: Sequence[str] = (),
    ) -> Corpus:
        """Make a corpus of a data frame, with the checks of ``affuse prepare csv``.

        The columns are those of a corpus (``audio``, ``video``, ``text``, ``start``, ``end``, ``speaker``, ``gender``,
        ``emotion``, ..., ``features_<name>``), in any order and case, or bear one of their usual names (Filename, Sex,
        Label, ...); ``remarks`` of what comes back says which were taken. Others are kept. Nothing is written: use
        ``save`` to keep it.

        Args:
            frame: One row per utterance; null cells are blank.
            name: Of the corpus.
            title: As results show it; None: the name.
            labels: Task -> its classes in order, or a map of its labels (None: leave blank); a task that is not named
                here takes the labels it finds, sorted.
            media_root: Folder that relative paths start from; None: the working folder.
            columns: Column of the corpus -> the frame's own name for it; "": it has none.
            votes: The task that columns ``votes_<label>`` (how many raters gave each label) are of; "": emotion.
            require: Tasks whose label every utterance must have; others are left out.
            licence: Of the corpus, in words.
            language: Of the words, such as "en".
            notes: Sentences to keep with the corpus; model cards show them.

        Raises:
            AffuseError: Something is wrong; the sentence names the index and the column.

        Examples:
            >>> import affuse, pandas as pd
            >>> frame = pd.DataFrame(
            ...     {"Transcript": ["go away", "how nice"], "Label": ["ang", "hap"], "Sex": ["F", "m"], "Spk": [1, 2]}
            ... )
            >>> corpus = affuse.Corpus.from_frame(frame, name="mine", labels={"emotion": ["hap", "ang"]})
            >>> corpus
            Corpus('mine', 2 utterances, 2 speakers, emotion: hap 1, ang 1, gender: female 1, male 1)
            >>> corpus.to_frame()[["id", "text", "speaker", "gender", "emotion"]].values.tolist()
            [['utterance1', 'go away', '1', 'female', 'ang'], ['utterance2', 'how nice', '2', 'male', 'hap']]
            >>> affuse.Corpus.from_frame(frame.assign(Sex=["F", "?"]))
            Traceback (most recent call last):
            ...
            affuse.errors.AffuseError: DataFrame, index 1, gender: There is no '?' among the labels of 'gender' \
(there are female, male); map it: labels={'gender': {'?': '...'}}, or to null to leave it blank.
        """
        base = Path(media_root).expanduser().absolute() if media_root else Path.cwd()
        options = table_options(
            {
                "columns": {} if columns is None else dict(columns),
                "labels": {
                    task: one
                    if isinstance(one, str)
                    else dict(one)
                    if isinstance(one, Mapping)
                    else list(one)
                    for task, one in ({} if labels is None else labels).items()
                },
                "votes": votes,
                "require": list(require),
                "media_root": str(base),
                "name": name,
                "full_name": title or "",
                "licence": licence,
                "language": language,
                "notes": list(notes),
            }
        )
        checked = check_table(read_frame(frame), options, base, name)
        return cls(checked.table, checked.info, remarks=checked.remarks, annotations=checked.annotations)

    def to_frame(self) -> pd.DataFrame:
        """A copy of the table: one row per utterance, blank cells null."""
        return self.table.copy()

    def counts(self) -> pd.DataFrame:
        """Count utterances and speakers by label, gender and session.

        Returns:
            A row per task and label (blank label: ""): ``task``, ``label``, ``utterances``, ``speakers``, then the
            utterances by gender (``female``, ``male``, ``gender unknown``) and by session (``session <name>``), where
            there are any.

        Examples:
            >>> import affuse, pandas as pd
            >>> frame = pd.DataFrame({"text": ["a b", "c d"], "emotion": ["joy", "fear"], "speaker": ["x", "x"]})
            >>> affuse.Corpus.from_frame(frame).counts().values.tolist()
            [['emotion', 'fear', 1, 1], ['emotion', 'joy', 1, 1]]
        """
        return overview.counts(self.table, self.info)

    def raters(self) -> pd.DataFrame:
        """Measure how far the raters agree, of every task whose votes or ratings the corpus keeps.

        Returns:
            A row per task: ``task``, ``metric`` (acc of labels, ccc of ratings), ``utterances`` with two votes or more,
            ``votes`` in all and those ``outside`` of the task's labels, ``alpha`` (Krippendorff's), and what one
            ``rater`` reaches against the others, with its 95 % interval over speakers (``low``, ``high``).

        Raises:
            AffuseError: What the corpus keeps of its raters is damaged.

        Examples:
            >>> import affuse, pandas as pd
            >>> votes = {"votes_joy": [3, 0, 1], "votes_fear": [0, 3, 2]}
            >>> corpus = affuse.Corpus.from_frame(pd.DataFrame({"text": ["a b", "c d", "e f"], **votes}))
            >>> corpus.raters()[["task", "utterances", "alpha"]].round(3).values.tolist()
            [['emotion', 3, 0.6]]
        """
        from affuse.corpora.agreement import agreement

        return agreement(self)

    @property
    def media_root(self) -> Path:
        """The folder that relative media paths start from."""
        root = find(self.info.media_root)
        return root if root.is_absolute() or self.folder is None else self.folder / root

    @property
    def feature_names(self) -> list[str]:
        """The names behind ``features_``."""
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
        return digest(
            table.to_csv(index=False, lineterminator="\n"),
            yaml.safe_dump(self.info.label_spaces, sort_keys=True),
        )

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
    @checked
    def load(cls, folder: str | Path) -> Corpus:
        """Read a corpus folder.

        Args:
            folder: Where ``affuse.prepare`` or ``save`` wrote it.

        Raises:
            AffuseError: It is no corpus folder, or a file is damaged; the sentence names file and field.

        Examples:
            >>> import affuse
            >>> affuse.Corpus.load("corpora/emodb")  # doctest: +SKIP
            Corpus('emodb', 535 utterances, 10 speakers, ...)
        """
        folder = Path(folder)
        check_corpus_folder(folder)
        try:
            info = CorpusInfo.model_validate(read_yaml_file(folder / INFO, INFO_TEXTS))
        except ValidationError as error:
            raise AffuseError(
                f"{folder / INFO}: {first_problem(error)}; correct it or prepare the corpus again."
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

    @checked
    def save(self, folder: str | Path, *, overwrite: bool = False) -> Corpus:
        """Write the corpus folder, what raters said and the table first and ``corpus.yaml`` last, each atomically.

        Args:
            folder: Where to.
            overwrite: Replace files that affuse did not write, or that were edited since, and another corpus.

        Returns:
            This corpus, whose ``folder`` is now that one.

        Raises:
            AffuseError: The folder has such files.
        """
        folder, annotations = Path(folder), self.annotations
        outputs = corpus_outputs(folder, overwrite=overwrite)
        if not outputs.overwrite and (folder / INFO).is_file():
            other = Corpus.load(folder).info.name
            if other != self.info.name:
                raise AffuseError(
                    f"{folder} holds the corpus {other!r}; choose another folder, or remove it."
                )
        with outputs.writing():
            write_annotations(folder, annotations)
            with replacing(folder / TABLE) as temporary:
                self.table.to_parquet(temporary, index=False)
            write_text(folder / INFO, write_yaml(self.info.model_dump()))
        self.folder = folder
        return self
