"""Where a model lies: a model folder, a run folder that holds one, affuse itself, or the Hub.

Nothing heavy is imported for it.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from affuse.errors import AffuseError, argument
from affuse.models.hub import download, looks_like_id
from affuse.models.index import IN_RUN, INDEX, RECIPE, read_index

STARTERS = Path(__file__).parents[1] / "starters"  # model folders that come with affuse
STARTER = "starter"  # the one that answers where no model is named


def starters() -> list[str]:
    """The names of the models that come with affuse."""
    return sorted(index.parent.name for index in STARTERS.glob(f"*/{INDEX}"))


def find_folder(source: str | Path) -> Path:
    """The model folder itself: of a run folder its ``model``, of a starter's name ours, of a Hub id the download.

    A folder of this machine comes before a starter of the same name.
    """
    folder = Path(source)
    if (here := _folder_here(folder)) is not None:
        return here
    if str(source) in starters():
        return STARTERS / str(source)
    if not folder.exists():
        if looks_like_id(str(source)):
            # a path that was misspelt is not asked for at the Hub, which may take long to say no
            if "@" not in str(source) and Path(folder.parts[0]).is_dir():
                raise AffuseError(
                    f"There is no model folder {source} (and {folder.parts[0]} is a folder here); correct the path, or "
                    f"write {source}@main for the Hub's model of that name."
                )
            return download(str(source))
        close = get_close_matches(str(source), starters(), n=1)
        meant = f" (did you mean '{close[0]}'?)" if close else ""
        raise AffuseError(
            f"There is no model folder {source}{meant}; give a folder that 'affuse train' wrote or a Hub id."
        )
    if folder.is_file():
        raise AffuseError(
            f"{folder} is a file, not a model; the model comes first: give a folder that 'affuse train' wrote or a Hub "
            "id."
        )
    if (folder / RECIPE).is_file() or (folder / "runs").is_dir():  # a run without its model, or a comparison
        raise AffuseError(
            f"{folder} holds no model: 'affuse compare' keeps them with {argument('keep_models', True)}; then name one "
            "of its runs, such as runs/ROW/fold0."
        )
    if (folder / "config.json").is_file():
        raise AffuseError(
            f"{folder} is a checkpoint of transformers; where it classifies, 'affuse adopt {folder} --out MODEL' makes "
            "a model of it."
        )
    raise AffuseError(f"{folder} is not a model folder: it has no {INDEX}; 'affuse train' writes one.")


def names_model(text: str) -> bool:
    """Whether a text is a model rather than a clip: a folder with one, a starter, or a Hub id that is no path."""
    path = Path(text)
    if _folder_here(path) is not None or (text in starters() and not path.exists()):
        return True
    return (
        looks_like_id(text) and not path.exists() and path.suffix == "" and not Path(path.parts[0]).is_dir()
    )


def _folder_here(folder: Path) -> Path | None:
    return next((one for one in (folder, folder / IN_RUN) if (one / INDEX).is_file()), None)


def files_of(source: str | Path) -> list[Path]:
    """The files of a model folder, or of the one in a run folder; none where this machine has no such folder."""
    folder = Path(source)
    for candidate in (folder, folder / IN_RUN):
        if (candidate / INDEX).is_file():
            return [candidate / INDEX, *(candidate / name for name in read_index(candidate))]
    return []
