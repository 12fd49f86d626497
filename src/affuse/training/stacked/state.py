"""What an interrupted run of a stack goes on from: one safetensors file per run, so any later stack may take it up."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Literal
from zlib import crc32

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from affuse.files import replacing
from affuse.training.stacked.member import Member
from affuse.training.stacked.optimizer import Moments

log = logging.getLogger("affuse.training")

FORMAT = "2"  # change when the meaning of the file changes


def save_state(path: Path, member: Member, weights: dict[str, Tensor]) -> None:
    """Write a run's state, atomically.

    Args:
        path: Of the file.
        member: The run, between two epochs.
        weights: Its parameters now (``Stack.weights``).
    """
    tensors = {f"weights {name}": tensor for name, tensor in weights.items()}
    tensors |= {f"best {name}": tensor for name, tensor in (member.best.weights or {}).items()}
    tensors |= {f"weighting {name}": tensor for name, tensor in member.weighting.state_dict().items()}
    tensors |= {f"centers {name}": tensor for name, tensor in member.first_centers.items()}
    for name, state in member.moments.items():
        tensors |= {f"{part} {name}": tensor for part, tensor in state._asdict().items()}
    about = {
        "epoch": member.epoch,
        "history": member.history,
        "score": member.best.score,
        "best": member.best.epoch,
        "rates": [member.rates.network, member.rates.centers, member.rates.weighting],
    }
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    text = json.dumps(about)
    content = save(tensors, {"format": FORMAT, "about": text, "sum": str(_sum(text, tensors))})
    with replacing(path) as temporary:
        temporary.write_bytes(content)  # safetensors' own writing hides that a disk is full


def load_state(path: Path, member: Member) -> bool:
    """Let a run go on where it was; whether there was a whole state.

    A damaged file, or one of another network, is removed: the run starts again, and ends with the same numbers.
    """
    if not path.is_file():
        return False
    try:
        with safe_open(path, framework="pt") as stored:
            metadata = stored.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (no mapping)
        if metadata["sum"] != str(_sum(metadata["about"], tensors)):
            raise ValueError
        about = json.loads(metadata["about"])
    except (SafetensorError, OSError, ValueError, KeyError):
        return _removed(path, "it is damaged")
    if misfit := _misfit(tensors, member):
        return _removed(path, f"it is not of this network ({misfit})")

    def of(kind: str) -> dict[str, Tensor]:
        return {
            name.removeprefix(f"{kind} "): tensor
            for name, tensor in tensors.items()
            if name.startswith(f"{kind} ")
        }

    means, squares, steps = of("mean"), of("square"), of("steps")
    member.set_weights(of("weights"))
    member.moments = {name: Moments(mean, squares[name], steps[name]) for name, mean in means.items()}
    member.weighting.load_state_dict(of("weighting"))
    member.first_centers = of("centers")
    member.epoch, member.history = about["epoch"], about["history"]
    member.best.load_state_dict({"score": about["score"], "epoch": about["best"], "weights": of("best")})
    member.rates.network, member.rates.centers, member.rates.weighting = about["rates"]
    return True


def _removed(path: Path, reason: str) -> Literal[False]:
    log.info("%s is not gone on from, since %s: the run begins again.", path, reason)
    path.unlink()
    return False


def _misfit(tensors: dict[str, Tensor], member: Member) -> str:
    """The first tensor that is missing, unknown or of another shape; "" where all fit the run."""
    weights = {name: one.shape for name, one in member.run.model.named_parameters()}
    trained = weights | {f"weighting.{name}": one.shape for name, one in member.weighting.named_parameters()}
    always = {f"weights {name}": shape for name, shape in weights.items()}
    always |= {f"weighting {name}": one.shape for name, one in member.weighting.state_dict().items()}
    always |= {f"centers {name}": one.shape for name, one in member.first_centers.items()}
    best = {f"best {name}": shape for name, shape in weights.items()}
    if any(name.startswith("best ") for name in tensors):
        always |= best
    moments = {name.partition(" ")[2] for name in tensors if name.partition(" ")[0] in Moments._fields}
    for name in moments:
        shape = trained.get(name, torch.Size([-1]))  # which none has
        always |= {f"mean {name}": shape, f"square {name}": shape, f"steps {name}": torch.Size([])}
    for name in sorted({*always, *tensors}):
        if name not in tensors or tensors[name].shape != always.get(name):
            return name
    return ""


def _sum(about: str, tensors: dict[str, Tensor]) -> int:
    """By which a bit that a disk has lost is noticed."""
    found = crc32(about.encode())
    for name in sorted(tensors):
        found = crc32(
            tensors[name].reshape(-1).view(torch.uint8).numpy().tobytes(), crc32(name.encode(), found)
        )
    return found


def holds_tensors_only(state: dict[str, object]) -> bool:
    """Whether a module's state can be written so."""
    return all(isinstance(value, Tensor) for value in state.values())
