"""The file of words that belongs to a clip, in a folder of such files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from affuse.errors import AffuseError, argument
from affuse.inference.settings import Settings
from affuse.inference.words import SUFFIXES
from affuse.media.samples import Samples

# talk.en.srt, talk.pt-BR.vtt, talk.en-orig.vtt (YouTube), talk.en.sdh.srt: a language, and what players add to it
_LANGUAGE = re.compile(r"\.[a-z]{2,3}(?:[-_][a-z0-9]{2,8})*(?:\.(?:forced|sdh|cc|hi|auto|default|orig))?")


class WordFolder:
    """A folder of files of words, one for each clip; ``clips``: the batch, as paths below their own folders."""

    def __init__(self, folder: Path, clips: Iterable[Path] = ()) -> None:
        self.folder = folder
        self._own = {_folded(str(clip.with_suffix(""))) for clip in clips}
        self._listed = cache(_files)

    def files(self, inside: Path) -> list[Path]:
        """The clip's files, best first.

        ``talk.wav.srt`` comes before ``talk.srt`` before ``talk.en.srt``, then by ending in the order of ``SUFFIXES``,
        those with times before plain text; a name in the clip's own letters comes before one in other case. What is
        hidden (``._talk.srt`` of a Mac) is passed over, and what has the name of another clip.
        """
        folder = _below(self.folder, inside.parent)
        if folder is None:
            return []
        ranks = list(SUFFIXES)
        found = []
        for file in self._listed(folder):
            stem = file.name[: -len(file.suffix)]
            form = _form(_folded(stem), inside)
            if form is None or (form > 1 and _folded(str(inside.parent / stem)) in self._own):
                continue
            alike = unicodedata.normalize("NFC", stem).startswith(unicodedata.normalize("NFC", inside.stem))
            found.append(((not alike, form, ranks.index(file.suffix.lower()), file.name), file))
        return [file for _, file in sorted(found)]


def with_words(settings: Settings, clip: Path | Samples) -> Settings:
    """The settings of one clip: its file in the place of a folder of words, if there is one.

    Raises:
        AffuseError: A folder of words for an array, which has no name to look for.
    """
    if settings.text is None or not settings.text.is_dir():
        return settings
    if isinstance(clip, Samples):
        raise AffuseError(
            f"{settings.text} is a folder, and an array has no name to look for in it; give {argument('text')} the "
            "file of its words."
        )
    files = WordFolder(settings.text).files(Path(clip.name))
    return settings.model_copy(update={"text": files[0]}) if files else settings


def _form(stem: str, inside: Path) -> int | None:
    """How a folded name belongs to the clip: 0 by its whole name, 1 by its stem, 2 and 3 with a language behind."""
    for form, own in enumerate((inside.name, inside.stem)):
        own = _folded(own)
        if stem == own:
            return form
        if stem.startswith(own) and _LANGUAGE.fullmatch(stem[len(own) :]):
            return form + 2
    return None


def _files(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
    )


def _below(folder: Path, parts: Path) -> Path | None:
    """The subfolder of that name, whatever its form of Unicode and its case."""
    for part in parts.parts:
        if not (folder / part).is_dir():
            alike = (one for one in folder.iterdir() if _folded(one.name) == _folded(part) and one.is_dir())
            part = next((one.name for one in sorted(alike)), "")
            if not part:
                return None
        folder = folder / part
    return folder


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
