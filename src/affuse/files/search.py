"""What a search of a folder for media finds, wherever affuse searches one."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Collection, Iterator
from pathlib import Path

# What systems leave in folders: copies of deleted files, halves of files, thumbnails. Hidden names begin with a point.
JUNK = frozenset({
    "__macosx", "$recycle.bin", "recycler", "#recycle", "@eadir", "system volume information", "lost+found",
})  # fmt: skip
_PACKETS = (
    188,
    192,
    204,
)  # bytes of an MPEG transport stream's packet: plain, with a time code, with a checksum
_SYNC = 0x47  # the first byte of each


def media_files(folder: Path, suffixes: Collection[str], *, broken: bool = False) -> list[Path]:
    """Find files of these kinds at any depth, relative to ``folder``; suffixes match in any case.

    Hidden files and folders (``._name`` of macOS, ``.Trash-1000``) and ``JUNK`` are passed over, unless ``folder``
    itself is one. Folders that are links are followed; each folder is searched once, however many links lead
    there, by its own name if it has one below ``folder``. TypeScript is not taken for a transport stream (``.ts``).

    Args:
        folder: Where to search.
        suffixes: In lower case, with their point.
        broken: Find links to files that are not there, and folders that may not be read, too: who opens them says so.
    """
    found, closed = [], list[Path]()
    for path in _walk(folder, closed):
        if path.suffix.lower() not in suffixes:
            continue
        place = folder / path
        if place.is_file():
            if path.suffix.lower() not in (".ts", ".mts") or not is_program_text(place):
                found.append(path)
        elif broken and place.is_symlink() and not place.exists():
            found.append(path)
    return [*found, *closed] if broken else found


def is_junk(name: str) -> bool:
    """Whether a file or folder of this name is passed over unless it is named."""
    return name.startswith(".") or name.lower() in JUNK


def is_program_text(path: Path) -> bool:
    """Whether a file named like a transport stream is TypeScript: text, without the sync bytes of packets.

    False where it is empty or cannot be read: reading it says so.
    """
    try:
        with open(path, "rb") as stream:
            head = stream.read(2048)
    except OSError:
        return False
    if not head or b"\0" in head or _has_packets(head):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # a letter that the 2048 bytes cut in two
    return True


def _has_packets(head: bytes) -> bool:
    return any(
        all(head[at] == _SYNC for at in range(begin, len(head), size))
        for size in _PACKETS
        for begin in range(min(size, max(0, len(head) - size)))
    )


def _walk(folder: Path, closed: list[Path]) -> Iterator[Path]:
    """Walk every file below a folder, relative to it: real folders first, then those behind links.

    ``closed`` gets the folders that may not be read.
    """
    seen: set[tuple[int, int]] = set()
    waiting, linked = deque([Path()]), deque[Path]()
    while waiting or linked:
        inside = waiting.popleft() if waiting else linked.popleft()
        try:
            status = os.stat(folder / inside)
            mark = status.st_dev, status.st_ino
            if mark in seen:
                continue
            seen.add(mark)
            entries = sorted(os.scandir(folder / inside), key=lambda entry: entry.name)
        except OSError:
            closed.append(inside)
            continue
        for entry in entries:
            if is_junk(entry.name):
                continue
            path = inside / entry.name
            if not entry.is_dir():
                yield path
            elif entry.is_symlink():
                linked.append(path)
            else:
                waiting.append(path)
