"""A corpus of the user's own: a CSV, TSV or parquet table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from affuse.corpora.corpus import Corpus
from affuse.corpora.corpus_files import writes_corpus
from affuse.corpora.table import check_table, table_options
from affuse.files.names import written
from affuse.progress import Progress
from affuse.tables import read_table


def _of(what: str) -> Any:
    return Field(description=f"column of {what}")


@writes_corpus()
def prepare(
    source: str | Path,
    out: str | Path,
    *,
    audio: Annotated[str | None, _of("the sound files (paths)")] = None,
    video: Annotated[str | None, _of("the video files (paths)")] = None,
    text: Annotated[str | None, _of("the words")] = None,
    emotion: Annotated[str | None, _of("the emotion labels")] = None,
    gender: Annotated[str | None, _of("the speakers' gender")] = None,
    speaker: Annotated[str | None, _of("the speakers")] = None,
    session: Annotated[str | None, _of("the sessions")] = None,
    dialog: Annotated[str | None, _of("the dialogs")] = None,
    start: Annotated[str | None, _of("where a clip starts in its file, in seconds")] = None,
    end: Annotated[str | None, _of("where a clip ends in its file, in seconds")] = None,
    id: Annotated[str | None, _of("the utterances' ids")] = None,
    columns: Annotated[
        dict[str, str] | None, Field(description="any column of the corpus -> the table's name for it")
    ] = None,
    labels: Annotated[
        dict[str, list[str] | dict[str, str | None]] | None,
        Field(description="task -> its labels in order, or a map of its labels (null: leave blank)"),
    ] = None,
    label_spaces: Annotated[
        dict[str, list[str]] | None, Field(description="task -> its labels in order, after a map")
    ] = None,
    votes: Annotated[
        str | None, Field(description="task that the columns votes_<label> are of; else emotion")
    ] = None,
    canonical: Annotated[
        bool | None,
        Field(description="emotions by affuse's names for them: happy, joy and Freude are happiness"),
    ] = None,
    require: Annotated[
        list[str] | None, Field(description="tasks whose label every utterance must have")
    ] = None,
    media_root: Annotated[
        str | Path | None, Field(description="folder that relative paths start from; else the table's own")
    ] = None,
    name: Annotated[str | None, Field(description="of the corpus; else the file's")] = None,
    full_name: Annotated[str | None, Field(description="as results show it; else the name")] = None,
    licence: Annotated[str | None, Field(description="of the corpus")] = None,
    language: Annotated[str | None, Field(description="of the words, such as en")] = None,
    generated: Annotated[
        bool | None, Field(description="made by a program, and called so in results")
    ] = None,
    encoding: Annotated[
        str | None, Field(description="of a CSV that is not UTF-8, such as cp1252 (Excel's plain CSV)")
    ] = None,
    notes: Annotated[list[str] | None, Field(description="sentences to keep with the corpus")] = None,
    options: Annotated[
        str | Path | dict[str, Any] | None, Field(description="YAML file with any of these options")
    ] = None,
    progress: Progress | None = None,
) -> Corpus:
    """Your own table: .csv (comma, semicolon or tab), .tsv or .parquet, with any columns of a corpus.

    Columns with a usual name in any case (Filename, Emotion, Sex, Speaker, ...) are recognised, and a note says
    which. An option names another column, or "" for none. Other columns are kept. Names and labels stay as they are
    written, in Unicode's composed form: ``nan``, ``NA`` and ``null`` are labels like any other. A missing ``id`` is
    made from the media files' names. A column ``features_<name>`` holds paths relative to the table (``array.npy``,
    ``array.npy#ROW``, ``arrays.npz#KEY``, ``arrays.npz#KEY#ROW``); they become absolute. ``affuse validate`` then
    checks, row by row, whether the media exist and can be read.

    Args:
        source: The table; CSV and TSV may be gzipped.
        out: The corpus folder to write.
        audio: The table's name for this column, as for the next ten; "": it has none.
        video: Paths of video files.
        text: The words.
        emotion: Labels.
        gender: Of the speakers: f, m, female, male and the like.
        speaker: Names or numbers.
        session: Names or numbers.
        dialog: Names or numbers.
        start: Seconds into the file.
        end: Seconds into the file.
        id: Must differ from row to row.
        columns: Any column of a corpus -> the table's own name for it; another name makes an extra column.
        labels: Task -> its labels in order, or a map of its labels; None leaves a label blank, "*" is every other.
        label_spaces: Task -> its labels in order, after a map.
        votes: The task that the columns ``votes_<label>`` are of: how many raters gave each label. A table without a
            column of the task gets what most raters said, and blank where they tie.
        canonical: Write emotions by the vocabulary's names, after a map; ``emotion_raw`` keeps what the table says.
        require: Tasks whose label every utterance must have; others are left out.
        media_root: Folder that relative paths start from, itself relative to the working folder or to the table's.
        name: Of the corpus.
        full_name: As results show it.
        licence: In words.
        language: Such as "en".
        generated: Made by a program, and called so wherever results are shown.
        encoding: Of CSV that is not UTF-8.
        notes: Sentences to keep with the corpus.
        options: A YAML file of these options, or its content; an option that is given beside it goes first.
        progress: Says what was guessed.

    Raises:
        AffuseError: Names the file, the row (as a spreadsheet counts: the header is row 1) and the column.
    """
    given = {
        key: value for key, value in locals().items() if key not in ("source", "out", "options", "progress")
    }
    if media_root is not None:
        here = Path(media_root).expanduser().absolute()  # who gives it here thinks of the working folder
        given["media_root"] = str(here if here.is_dir() else media_root)
    chosen = table_options(options, **given)
    source = Path(source).absolute()
    numbered = read_table(source, chosen.encoding)
    checked = check_table(numbered, chosen, source.parent, written(source.stem))
    corpus = Corpus(
        checked.table, checked.info, remarks=checked.remarks, annotations=checked.annotations
    ).save(out)
    if progress is not None:
        for remark in checked.remarks:
            progress.say(remark)
    return corpus
