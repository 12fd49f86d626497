"""One question to the Hub before its library asks: that one tries for half a minute where there is no network."""

from __future__ import annotations

from textwrap import shorten
from typing import Any


def network_errors() -> tuple[type[BaseException], ...]:
    """What is raised where the Hub cannot be reached, or must not be asked."""
    from huggingface_hub import errors

    # the Hub's errors derive from its HTTP client's, whichever client this version of the library uses
    client: Any = errors.HfHubHTTPError.__bases__[0]
    return (
        errors.LocalEntryNotFoundError,
        errors.OfflineModeIsEnabled,
        client,
        ConnectionError,
        TimeoutError,
    )


def ask_hub(model: str, file: str = "config.json", revision: str | None = None) -> None:
    """Ask the Hub once for a model's file, where this machine does not have it yet.

    Raises:
        Exception: The library's own errors; one of ``network_errors`` where the Hub cannot be reached.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache

    if try_to_load_from_cache(model, file, revision=revision) is None:  # neither here nor known to be missing
        get_hf_file_metadata(hf_hub_url(model, file, revision=revision), timeout=5)


def cause_of_failure(error: BaseException) -> str:
    """The first cause of a network's error, in its own words."""
    while error.__cause__ is not None:
        error = error.__cause__
    return shorten(str(error), 120, placeholder=" ...") or type(error).__name__


def why_unreachable(model: str, file: str = "config.json", revision: str | None = None) -> str | None:
    """Why the Hub cannot be reached for a file that this machine lacks; None where it can, or needs not be."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        ask_hub(model, file, revision)
    except (HfHubHTTPError, HFValidationError):  # an answer, or no id at all: who loads the file tells that
        return None
    except network_errors() as error:
        return cause_of_failure(error)
    return None
