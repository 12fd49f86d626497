"""Finding the release's folders and files, past everything that copies of it carry besides."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from affuse.corpora.readers.iemocap.names import DIALOG
from affuse.errors import AffuseError

SESSIONS = 5
_SESSION = re.compile(r"Session(\d+)")
_STAMP = "ceilings.json"  # only a generated release has it


@dataclass
class SessionFiles:
    """The files of one session, by dialog or turn name."""

    number: int
    folder: Path
    evaluations: dict[str, Path] = field(default_factory=dict)
    transcripts: dict[str, Path] = field(default_factory=dict)
    videos: dict[str, Path] = field(default_factory=dict)
    sentences: dict[str, Path] = field(default_factory=dict)  # by turn


def find_sessions(source: str | Path) -> list[SessionFiles]:
    """List the sessions directly below ``source``, in order, with their files.

    Raises:
        AffuseError: ``source`` is not the release's root; one folder too high or too low, the sentence says which is
            meant.
    """
    root = Path(source)
    if not root.is_dir():
        raise AffuseError(
            f"{root} is not a folder; give the folder that holds Session1 to Session{SESSIONS}."
        )
    folders = session_folders(root)
    if not folders:
        raise AffuseError(_elsewhere(root))
    return [_list_session(number, folder) for number, folder in sorted(folders.items())]


def session_folders(root: Path) -> dict[int, Path]:
    """Find the sessions' folders directly below ``root``, by number. Its own path may have "Session" in it."""
    found = {}
    for entry in _entries(root):
        match = _SESSION.fullmatch(entry.name)
        if match and (entry / "dialog" / "EmoEvaluation").is_dir():
            found[int(match[1])] = entry
    return found


def read_stamp(root: Path) -> dict | None:
    """Read what a generated release says about itself; None for a real one, AffuseError where it is damaged."""
    path = root / _STAMP
    if not path.is_file():
        return None
    try:
        stamp = json.loads(path.read_text(encoding="utf-8"))
        stamp["ceilings"]
    except (ValueError, KeyError, TypeError, UnicodeDecodeError):
        raise AffuseError(f"{path} is damaged; generate the release again.") from None
    return stamp


def read_lines(path: Path) -> list[str]:
    """Read a text file's lines. The release is latin-1; copies that were re-saved as UTF-8 are read as such."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AffuseError(
            f"{path} cannot be read ({error.strerror}); correct its permissions, or copy the release again."
        ) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    # not str.splitlines: latin-1's \x85 and \x1c would break lines
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _list_session(number: int, folder: Path) -> SessionFiles:
    files = SessionFiles(number, folder)
    prefix = f"Ses{number:02d}"
    dialog = folder / "dialog"
    files.evaluations = _dialog_files(dialog / "EmoEvaluation", ".txt", prefix)
    files.transcripts = _dialog_files(dialog / "transcriptions", ".txt", prefix)
    files.videos = _dialog_files(dialog / "avi" / "DivX", ".avi", prefix)
    sentences = folder / "sentences" / "wav"
    for name in files.evaluations:
        for entry in _entries(sentences / name):
            if entry.suffix.lower() == ".wav" and entry.name.startswith(name + "_"):
                files.sentences[entry.stem] = entry
    return files


def _dialog_files(folder: Path, ending: str, prefix: str) -> dict[str, Path]:
    """Dialog name -> file. Names match whole, so ``..._1`` is never ``..._1b`` and ``._Ses01...`` is nothing."""
    found = {}
    for entry in _entries(folder):
        name = entry.name[: -len(ending)]
        if entry.suffix.lower() == ending and name.startswith(prefix) and DIALOG.fullmatch(name):
            found[name] = entry
    return found


def _entries(folder: Path) -> list[Path]:
    """A folder's entries in order of name; none where there is no such folder."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise AffuseError(
            f"{folder} cannot be listed ({error.strerror}); correct its permissions, or copy the release again."
        ) from None


def _elsewhere(root: Path) -> str:
    """Why ``root`` is not the release, naming the folder that is meant if it can be seen from here."""
    for parent in root.resolve().parents:
        if session_folders(parent):
            return f"{root} is inside the release; give its root, {parent}."
    for below in _entries(root):
        if below.is_dir() and session_folders(below):
            return f"{root} is one folder too high; give {below}."
    if any(_SESSION.fullmatch(entry.name) for entry in _entries(root)):
        return (
            f"{root} has Session folders, but none with dialog/EmoEvaluation, where the labels are; "
            "unpack the release again, all of it."
        )
    return (
        f"{root} is not the IEMOCAP release: it holds no Session1 to Session{SESSIONS}; "
        "give the folder IEMOCAP_full_release."
    )
