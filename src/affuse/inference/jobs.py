"""A job per clip: what the named files, folders, patterns and tables come to, and what their outputs are called."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

from affuse.errors import AffuseError, argument
from affuse.files.names import LONGEST, shortened
from affuse.inference.batch import Job
from affuse.inference.clip_files import Clip, find_clips
from affuse.inference.clip_table import is_table, read_clips
from affuse.inference.companions import WordFolder, with_words
from affuse.inference.settings import Settings
from affuse.media.samples import Samples

ROOM = LONGEST - 15  # bytes for a name without its ending, of which .labels.txt is the longest


def find_jobs(
    sources: Sequence[str | Path | Samples],
    settings: Settings,
    tell: Callable[[str], None] = lambda sentence: None,
) -> list[Job]:
    """One job per clip, in order, each clip once.

    Args:
        sources: Files, folders, patterns, tables of clips, and sound in memory.
        settings: Of all of them; ``text`` may be a folder with a file of words for each.
        tell: Told of columns that cannot be used, which file of words was taken where a clip has several,
            of one file for many clips, and of a name that is too long for its outputs.

    Raises:
        AffuseError: A source is not there or names no clip, or a folder of words fits none.
    """
    clips: dict[tuple[object, ...], Clip | Samples] = {}
    for source in sources:
        if isinstance(source, Samples):
            clips[(id(source),)] = source
            continue
        for clip in read_clips(Path(source), tell) if is_table(Path(source)) else find_clips(str(source)):
            real = os.path.realpath(clip.path)  # one clip, by whatever name or link it was found
            clips.setdefault((real, clip.words, clip.settings), clip)
    names = {"skipped"}  # a batch's skipped.csv is no clip's
    found: list[Job] = []
    texts = _texts([clip for clip in clips.values() if isinstance(clip, Clip)], settings, tell)
    for clip in clips.values():
        if isinstance(clip, Samples):
            job = Job(clip, _name(Path(clip.name), names), with_words(settings, clip))
        else:
            job = Job(clip.path, _name(_named(clip), names), _settings_of(clip, settings, texts))
            if len(os.fsencode(clip.path.stem or clip.path.name)) > ROOM:
                tell(f"{job.path}: its name leaves no room for an ending; its outputs are called {job.name}.")
        found.append(job)
    return found


def _texts(clips: Sequence[Clip], settings: Settings, tell: Callable[[str], None]) -> dict[Path, Path]:
    """Clip below its folder -> its file of words, where ``text`` names a folder of them."""
    folder = settings.text
    if folder is None or not clips or not folder.is_dir():
        if folder is not None and len(clips) > 1:
            tell(
                f"All {len(clips)} clips get the words of {folder}; to give each clip its own, name a folder with "
                "a file for each."
            )
        return {}
    words = WordFolder(folder, [clip.inside for clip in clips])
    files = {clip.inside: found for clip in clips if (found := words.files(clip.inside))}
    if not files:
        raise AffuseError(
            f"{folder} has no file of words for {clips[0].inside}{' or any other clip' if len(clips) > 1 else ''}; it "
            f"looks for {clips[0].inside.stem}.srt and the like."
        )
    several = {clip: found for clip, found in files.items() if len(found) > 1}
    for clip, (taken, *others) in list(several.items())[:1]:
        more = f" {len(several)} clips have several files of words." if len(several) > 1 else ""
        tell(
            f"The words of {clip} are those of {taken.name}, not of {', '.join(f.name for f in others)}.{more}"
        )
    return {clip: found[0] for clip, found in files.items()}


def _settings_of(clip: Clip, settings: Settings, texts: dict[Path, Path]) -> Settings:
    changes: dict[str, object] = {}
    if clip.inside in texts:
        changes["text"] = texts[clip.inside]
    if clip.words is not None:
        if settings.text is not None or settings.asr is not None:
            raise AffuseError(
                f"The table has a column text already; leave {argument('text')} and {argument('asr')} out."
            )
        changes["words"] = clip.words
    changes |= dict(clip.settings)
    return Settings.of(settings.model_dump() | changes) if changes else settings


def _named(clip: Clip) -> Path:
    """What its outputs are called after: a part of a file has its times in its name."""
    return (
        clip.inside.with_name(f"{clip.inside.stem}{clip.span}{clip.inside.suffix}")
        if clip.span
        else clip.inside
    )


def _name(inside: Path, taken: set[str]) -> str:
    """a/b.mp4 -> a/b; a/b.mp4 where a/b is taken; a/b.mp4-2 and so on after that. No name is too long for its file.

    Names that differ in case or in Unicode's form alone are one file on many disks, so they count as taken.
    """
    count = 1
    while True:
        if count == 1:
            names = [inside.stem or inside.name, inside.name]
        else:
            names = [f"{shortened(inside.name, ROOM - 8)}-{count}"]
        candidates = [str(inside.parent / shortened(name, ROOM)) for name in names]
        for name in candidates:
            mark = unicodedata.normalize("NFC", name).casefold()
            if mark not in taken:
                taken.add(mark)
                return name
        count += 1
