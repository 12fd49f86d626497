"""Model folders on the Hugging Face Hub: only the files that a folder's index names go up or come down."""

from __future__ import annotations

import glob
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from affuse.errors import AffuseError

_ID = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")


def looks_like_id(text: str) -> bool:
    """Whether a name could be a Hub id: owner/name or owner/name@revision."""
    return _ID.fullmatch(text) is not None and not text.startswith((".", "-"))


def download(hub_id: str) -> Path:
    """The model's folder in the Hub's own cache on this machine, fetched where it is not there yet.

    ``hub_id``: owner/name, or owner/name@revision for a branch, tag or commit. Raises AffuseError for a wrong id, a
    model that is not affuse's, a missing token and no network.
    """
    from huggingface_hub import hf_hub_download, snapshot_download

    from affuse.encoders.pretrained import check_hub_cache
    from affuse.modelfolder import INDEX, read_index

    repository, revision = _parts(hub_id)
    check_hub_cache()
    with _explained(hub_id):
        folder = Path(hf_hub_download(repository, INDEX, revision=revision)).parent
        names = [INDEX, *read_index(folder)]
        commit = folder.name  # the cache names a snapshot by its commit
        wanted = [glob.escape(name) for name in names]
        return Path(snapshot_download(repository, revision=commit, allow_patterns=wanted))


def push(source: str | Path, hub_id: str, *, private: bool = False, self_contained: bool = False) -> str:
    """Upload a model folder, or the run folder that holds it; gives the address of the model's page.

    ``self_contained`` copies frozen encoders into what is uploaded. Raises AffuseError for a folder that is no
    intact model, for one that names encoders by paths of this machine, and as ``download``.
    """
    from huggingface_hub import HfApi, get_token

    from affuse.modelfolder import (
        CARD,
        INDEX,
        check_files,
        find_folder,
        load_model,
        local_encoders,
        read_index,
        save_model,
    )
    from affuse.recipe import Recipe

    repository, revision = _parts(hub_id)
    if revision is not None:
        raise AffuseError(f"'affuse push' writes to the main branch; leave '@{revision}' out of {hub_id}.")
    if not Path(source).exists():
        raise AffuseError(f"There is no model folder {source}; give one that 'affuse train' wrote.")
    folder = find_folder(source)
    check_files(folder)
    named = local_encoders(Recipe.load(folder / "recipe.yaml"))
    if named and not self_contained:
        raise AffuseError(
            f"{folder} names an encoder by a path of this machine ({named[0]}), which nobody else has; add "
            "--self-contained to upload it too (mind its licence)."
        )
    if get_token() is None:
        raise AffuseError(
            "The Hub needs a token to upload: run 'hf auth login', or set HF_TOKEN to a token that may write."
        )
    with tempfile.TemporaryDirectory() as temporary, _explained(hub_id):
        if self_contained:
            card = folder / CARD
            text = card.read_text(encoding="utf-8") if card.is_file() else None
            model, folder = load_model(folder), Path(temporary)
            save_model(model, folder, card=text, self_contained=True)
            if named := local_encoders(Recipe.load(folder / "recipe.yaml")):
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
    from affuse.modelfolder import INDEX, check_files, read_index

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


def _parts(hub_id: str) -> tuple[str, str | None]:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    found = _ID.fullmatch(hub_id)
    try:
        if found is None:
            raise HFValidationError("it has no owner")
        validate_repo_id(found["repository"])
    except HFValidationError:
        raise AffuseError(
            f"{hub_id!r} is no Hub id; write owner/name (letters, digits, '-', '_' and '.'), such as me/emodb-model."
        ) from None
    return found["repository"], found["revision"]


@contextmanager
def _explained(hub_id: str) -> Iterator[None]:
    """The Hub's many failures as one sentence each."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError:
        raise AffuseError(
            f"{hub_id} is open on request only; ask on its page, then run 'hf auth login'."
        ) from None
    except errors.RevisionNotFoundError:
        raise AffuseError(f"{hub_id}: the Hub has the model, but not this revision.") from None
    except errors.RepositoryNotFoundError:
        raise AffuseError(
            f"The Hub has no model {hub_id}, and no such folder is here; check the spelling, and for a private model "
            "run 'hf auth login' first."
        ) from None
    except errors.RemoteEntryNotFoundError:
        raise AffuseError(f"{hub_id} on the Hub is no affuse model: it has no index.json.") from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status == 401:
            sentence = f"The Hub did not accept the token for {hub_id}; run 'hf auth login' again."
        elif status == 403:
            sentence = (
                f"The token may not write to {hub_id}; use one with write access to {hub_id.split('/')[0]}."
            )
        else:
            reason = " ".join(str(error.server_message or error).split())[:160]
            sentence = f"The Hub refused {hub_id} with status {status} ({reason}); try again later."
        raise AffuseError(sentence) from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, *_network_errors()) as error:
        raise AffuseError(
            f"The Hub cannot be reached for {hub_id} ({_cause(error)}); check the network, or give the path of a model "
            "folder on this machine."
        ) from None


def _network_errors() -> tuple[Any, ...]:
    from huggingface_hub.errors import HfHubHTTPError

    # the Hub's errors derive from its HTTP client's, whichever client this version of the library uses
    return (HfHubHTTPError.__bases__[0], ConnectionError, TimeoutError)


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())[:120] or type(error).__name__
