"""Model folders to and from the Hugging Face Hub: only the files that a folder's index names go up or come down."""

from __future__ import annotations

import glob
import shutil
import tempfile
from pathlib import Path

from affuse.errors import AffuseError, argument
from affuse.models.finding import find_folder
from affuse.models.hub import download, explained, parts_of
from affuse.models.index import CARD, INDEX, RECIPE, check_files, read_index
from affuse.recipe import Recipe


def push(source: str | Path, hub_id: str, *, private: bool = False, self_contained: bool = False) -> str:
    """Upload a model folder, or the run folder that holds it; gives the address of the model's page.

    ``self_contained`` copies frozen encoders into what is uploaded. Raises AffuseError for a folder that is no
    intact model, for one that names encoders by paths of this machine, and as ``download``.
    """
    repository, revision = parts_of(hub_id)
    if revision is not None:
        raise AffuseError(f"A model is pushed to the main branch; leave '@{revision}' out of {hub_id}.")
    if not Path(source).exists():
        raise AffuseError(f"There is no model folder {source}; give one that 'affuse train' wrote.")
    folder = find_folder(source)
    check_files(folder)
    # what is wrong so far is answered at once: these import torch
    from affuse.models.loading import load_model
    from affuse.models.saving import local_encoders, save_model

    named = local_encoders(Recipe.load(folder / RECIPE))
    if named and not self_contained:
        raise AffuseError(
            f"{folder} names an encoder by a path of this machine ({named[0]}), which nobody else has; add "
            f"{argument('self_contained', True)} to upload it too (mind its licence)."
        )
    from huggingface_hub import HfApi, get_token

    if get_token() is None:
        raise AffuseError(
            "The Hub needs a token to upload: run 'hf auth login', or set HF_TOKEN to a token that may write."
        )
    with tempfile.TemporaryDirectory() as temporary, explained(hub_id):
        if self_contained:
            card = folder / CARD
            text = card.read_text(encoding="utf-8") if card.is_file() else None
            model, folder = load_model(folder), Path(temporary)
            save_model(model, folder, card=text, self_contained=True)
            if named := local_encoders(Recipe.load(folder / RECIPE)):
                raise AffuseError(
                    f"{source} names an encoder by a path of this machine ({named[0]}) and has no way to copy it "
                    "(write_source); it cannot be shared."
                )
        api = HfApi()
        api.create_repo(repository, private=private or None, exist_ok=True)
        names = [INDEX, *read_index(folder)]
        wanted = [glob.escape(name) for name in names if (folder / name).is_file()]
        api.upload_folder(
            repo_id=repository, folder_path=folder, allow_patterns=wanted, commit_message="Model from affuse"
        )
        return f"{api.endpoint}/{repository}"


def pull(hub_id: str, out: str | Path) -> Path:
    """Download a model into the new folder ``out`` and check it; nothing is left behind where that fails.

    Raises AffuseError as ``download``, and if ``out`` is there already.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise AffuseError(f"{out} exists already; name a new folder.")
    folder = download(hub_id)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".affuse-", dir=out.parent) as temporary:
        fresh = Path(temporary) / "model"
        for name in [INDEX, *read_index(folder)]:
            if (folder / name).is_file():
                (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / name, fresh / name)
        check_files(fresh)
        if out.is_dir():
            out.rmdir()
        fresh.rename(out)
    return out
