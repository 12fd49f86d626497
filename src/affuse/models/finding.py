"""Where a model lies: a model folder, a run folder that holds one, or the Hub. Nothing heavy is imported for it."""

from __future__ import annotations

from pathlib import Path

from affuse.errors import AffuseError
from affuse.models.hub import download, looks_like_id
from affuse.models.index import IN_RUN, INDEX, read_index


def find_folder(source: str | Path) -> Path:
    """The model folder itself: of a run folder its ``model``, of a Hub id the download."""
    folder = Path(source)
    for candidate in (folder, folder / IN_RUN):
        if (candidate / INDEX).is_file():
            return candidate
    if not folder.exists():
        if looks_like_id(str(source)):
            # a path that was misspelt is not asked for at the Hub, which may take long to say no
            if "@" not in str(source) and Path(folder.parts[0]).is_dir():
                raise AffuseError(
                    f"There is no model folder {source} (and {folder.parts[0]} is a folder here); correct the path, or "
                    f"write {source}@main for the Hub's model of that name."
                )
            return download(str(source))
        raise AffuseError(
            f"There is no model folder {source}; give a folder that 'affuse train' wrote or a Hub id."
        )
    if folder.is_file():
        raise AffuseError(
            f"{folder} is a file, not a model; the model comes first: give a folder that 'affuse train' wrote or a Hub "
            "id."
        )
    raise AffuseError(f"{folder} is not a model folder: it has no {INDEX}; 'affuse train' writes one.")


def files_of(source: str | Path) -> list[Path]:
    """The files of a model folder, or of the one in a run folder; none where this machine has no such folder."""
    folder = Path(source)
    for candidate in (folder, folder / IN_RUN):
        if (candidate / INDEX).is_file():
            return [candidate / INDEX, *(candidate / name for name in read_index(candidate))]
    return []
