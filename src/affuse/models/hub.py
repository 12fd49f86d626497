"""A model of the Hugging Face Hub: its id, its download, and the Hub's failures as one sentence each."""

from __future__ import annotations

import glob
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from affuse.encoders.hub_access import ask_hub, cause_of_failure, network_errors
from affuse.errors import AffuseError
from affuse.models.index import INDEX, read_index

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

    repository, revision = parts_of(hub_id)
    check_hub_cache()
    with explained(hub_id, ", or 'starter', which comes with affuse"):
        ask_hub(repository, INDEX, revision)
        folder = Path(hf_hub_download(repository, INDEX, revision=revision)).parent
        names = [INDEX, *read_index(folder)]
        commit = folder.name  # the cache names a snapshot by its commit
        wanted = [glob.escape(name) for name in names]
        return Path(snapshot_download(repository, revision=commit, allow_patterns=wanted))


def parts_of(hub_id: str) -> tuple[str, str | None]:
    """(repository, revision or None) of a Hub id. Raises AffuseError for what is none."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    found = _ID.fullmatch(hub_id)
    try:
        if found is None:
            raise HFValidationError("it has no owner")
        validate_repo_id(found["repository"])
    except HFValidationError:
        raise AffuseError(
            f"{hub_id!r} is not a Hub id; write owner/name (letters, digits, '-', '_' and '.'), such as me/emodb-model."
        ) from None
    return found["repository"], found["revision"]


@contextmanager
def explained(hub_id: str, offline: str = "") -> Generator[None]:
    """The Hub's many failures as one sentence each; ``offline`` ends that of a Hub that cannot be reached."""
    from huggingface_hub import errors

    from affuse.encoders.pretrained import attempts_unsaid

    try:
        with attempts_unsaid():
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
        raise AffuseError(
            f"{hub_id} on the Hub is not an affuse model: it has no index.json; of a public "
            f"classifier 'affuse adopt {hub_id} --out MODEL' makes one."
        ) from None
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
    except network_errors() as error:
        raise AffuseError(
            f"The Hub cannot be reached for {hub_id} ({cause_of_failure(error)}); check the network, or give the "
            f"path of a model folder on this machine{offline}."
        ) from None
