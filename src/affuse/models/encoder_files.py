"""The frozen encoders that a model names instead of holding them: are they here, and the ones it was trained with?"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from affuse.encoders.pretrained import PACKAGE
from affuse.encoders.sources import digests, find_files, is_pinned, local_path
from affuse.errors import AffuseError, argument
from affuse.parts.registry import get
from affuse.recipe import Modality, Recipe

FIELD = "files"  # of a modality in preprocessing.json: option -> file -> digest


def named_sources(modality: Modality) -> dict[str, str]:
    """Option -> value, of the options that name where an encoder's files are: paths, packages' and the Hub's names.

    Not those of the model's own folder, nor what is fetched by an address, whose file name holds its digest.
    """
    sources = get("encoders", modality.encoder).sources
    found = {option: modality.options.get(option) for option in sources}
    return {
        option: value
        for option, value in found.items()
        if isinstance(value, str)
        and value != "download"
        and not value.startswith("folder:")
        and "://" not in value
    }


def source_digests(modality: Modality, paths_only: bool = False) -> dict[str, dict[str, str]]:
    """Option -> file -> digest, of an encoder's files that are on this machine.

    paths_only: leave out packages' and the Hub's, whose names stand for one thing
    """
    found = {}
    for option, value in named_sources(modality).items():
        path = local_path(value) if paths_only else find_files(value, modality.options.get("revision"))
        if path is not None and path.exists():
            found[option] = digests(path)
    return found


def check_encoders(recipe: Recipe, written: dict[str, Any], folder: Path) -> None:
    """Compare the files of a model's named encoders with those it was trained with.

    recipe: of ``folder``, as it was written. written: its preprocessing.json; older folders have no digests.
    Raises AffuseError, with the cure, for a folder or file that is gone or holds another network.
    """
    about = written.get("modalities", {})
    for name, modality in recipe.modalities.items():
        if not modality.frozen:
            continue
        known = about.get(name, {}).get(FIELD)
        for option, value in named_sources(modality).items():
            what = f"{folder}: the encoder of {name!r} ({option})"
            if known is None:
                _warn_of_relative(what, value, modality.options.get("revision"))
            else:
                _check(what, option, value, modality.options.get("revision"), known.get(option))


def _check(what: str, option: str, value: str, revision: str | None, known: dict[str, str] | None) -> None:
    named, path = local_path(value), find_files(value, revision)
    if named is not None and path is None and option != "detector":  # predict --detector may name another
        raise AffuseError(
            f"{what} is {value}, which is not there; put it back (a link will do), or where it still is, write the "
            f"model with {argument('self_contained', True)}, which copies it into the model's folder."
        )
    if named is not None and not named.is_absolute() and known is None:
        raise AffuseError(
            f"{what} is the Hub's {value}, but {named.absolute()} would be taken for it; work in another folder."
        )
    if (
        path is None
        or known is None
        or (named is None and not value.startswith(PACKAGE) and is_pinned(revision))
    ):
        return  # fetched when it is asked for; a commit's files are always the same
    now = digests(path)
    for file, expected in known.items():
        found = now.get(file)
        if found != expected:
            has = "is missing there" if found is None else f"has the digest {found[:12]}"
            raise AffuseError(
                f"{what} is {value}, and {path / file} is not what the model was trained with: {file or path.name} had "
                f"the digest {expected[:12]} then and {has} now; put the old files back, or train the model again."
            )


def _warn_of_relative(what: str, value: str, revision: str | None) -> None:
    """An older affuse wrote paths as they were given."""
    path = local_path(value)
    if path is not None and not path.is_absolute():
        warnings.warn(
            f"{what} is the relative path {value}, as an older affuse wrote it: {path.absolute()} is taken, and "
            "affuse cannot check that it is the encoder that the model was trained with. Train the model again to be "
            "sure.",
            stacklevel=4,
        )
    elif path is None and revision is None and "/" in value and find_files(value) is None:
        warnings.warn(
            f"{what} is {value}, which is not a folder here: it is looked for on the Hub. If it was a folder, work "
            "where the model was trained, or train it again.",
            stacklevel=4,
        )
