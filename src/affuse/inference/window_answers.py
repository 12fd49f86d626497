"""The network's answer to every window of a clip, in batches: what was read -> features -> probabilities, ratings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from affuse.encoders.base import Encoder
from affuse.evaluation.calibration import apply_temperature
from affuse.inference.window_reader import Reading
from affuse.models.network import Model
from affuse.models.running import run_batches
from affuse.progress import Advance
from affuse.sequence import FeatureSequence, pad

_T = TypeVar("_T")


class WindowAnswers(NamedTuple):
    """What the network said of the windows of one clip.

    Attributes:
        outputs: Task -> (windows, classes), calibrated probabilities; of a regression (windows, 1), its rating on the
            corpus's scale, within the range. NaN where a window had nothing to go by.
        given: The modalities of each window.
        causes: Why a modality could not be read, each cause once.
    """

    outputs: dict[str, np.ndarray]
    given: list[tuple[str, ...]]
    causes: list[str]


@dataclass(frozen=True)
class _WindowBatch:
    """Some windows as the network takes them."""

    clips: dict[str, FeatureSequence]
    index: Tensor


class WindowNetwork:
    """A model with its frozen encoders, which are loaded once.

    Args:
        model: In evaluation mode.
        device: Where it runs, "cpu" or "cuda".
        batch: Windows that run through the network together.
        without: Modalities that no clip will have: their encoders are not loaded.
        encoders: Modality -> encoder, where they are loaded already.
    """

    def __init__(
        self,
        model: Model,
        device: str,
        batch: int,
        without: Collection[str] = (),
        encoders: Mapping[str, Encoder] = MappingProxyType({}),
    ) -> None:
        self.model, self.device = model, device
        self.encoders = {
            name: encoders[name] if name in encoders else self._load_encoder(name)
            for name in model.resolved
            if name not in without
        }
        self.temperature = {task: model.defaults.of_task(task).temperature for task in model.label_spaces}
        # trained picture networks hold the activations of every frame of a batch at once
        trained = any(
            encoder.kind == "video" and not model.recipe.modalities[name].frozen
            for name, encoder in self.encoders.items()
        )
        self.size = min(batch, 2) if trained else batch

    def answer(self, readings: Iterable[Reading], count: int, advance: Advance) -> WindowAnswers:
        """The answers to ``count`` windows in order; ``advance`` is called with (windows done, all windows)."""
        found = self._nothing(count)
        given: list[tuple[str, ...]] = []
        causes: dict[str, None] = {}
        for windows in _batches(readings, self.size):
            rows = slice(len(given), len(given) + len(windows))
            for task, outputs in self.answer_windows([tensors for tensors, _ in windows]).items():
                found[task][rows] = outputs
            for tensors, cause in windows:
                given.append(given_of(tensors))
                causes |= dict.fromkeys(cause)
            advance(len(given), count)
        return WindowAnswers(found, given, list(causes))

    def answer_windows(self, windows: Sequence[Mapping[str, Tensor | None]]) -> dict[str, np.ndarray]:
        """The answers to some windows, which run through the network together, whichever clips they are of.

        Args:
            windows: Modality -> the tensor of ``Encoder.read``; None, or not named, where a window lacks it.

        Returns:
            As ``WindowAnswers.outputs``.
        """
        found = self._nothing(len(windows))
        clips = self._encode(windows)
        batch = _WindowBatch(clips, torch.arange(len(windows)))
        for _, output in run_batches(self.model, [batch], self.device):
            if output is None:
                continue
            some = torch.stack([sequence.present for sequence in clips.values()]).any(dim=0).cpu().numpy()
            for task, logits in output.logits.items():
                p = logits.double().softmax(dim=1).cpu().numpy()[some]
                found[task][some] = apply_temperature(p, self.temperature[task])
            for task, values in output.values.items():
                ratings = self.model.dimensions[task].answers(values.double().cpu().numpy())
                found[task][some] = ratings[some, None]
        return found

    def _nothing(self, count: int) -> dict[str, np.ndarray]:
        """Task -> as many rows of NaN, each with a column for every class, or for the rating."""
        widths = {task: len(space) for task, space in self.model.label_spaces.items()}
        widths |= dict.fromkeys(self.model.dimensions, 1)
        return {task: np.full((count, width), np.nan) for task, width in widths.items()}

    def _load_encoder(self, name: str) -> Encoder:
        own = self.model.trained_encoders.get(name)
        return own if own is not None else self.model.resolved[name].make().eval().to(self.device)

    def _encode(self, rows: Sequence[Mapping[str, Tensor | None]]) -> dict[str, FeatureSequence]:
        """A batch of windows as the network takes it; a modality that no window has is left out."""
        clips: dict[str, FeatureSequence] = {}
        for name, encoder in self.encoders.items():
            tensors = [row.get(name) for row in rows]
            if all(tensor is None for tensor in tensors):
                continue
            if not self.model.recipe.modalities[name].frozen:
                clips[name] = pad(tensors).to(self.device)
                continue
            # a window of faces is a batch of frames already
            size = 1 if encoder.kind == "video" else len(tensors)
            features: list[Tensor | None] = []
            with torch.inference_mode():
                for part in _batches(tensors, size):
                    if all(tensor is None for tensor in part):
                        features += [None] * len(part)
                        continue
                    output: FeatureSequence = encoder(pad(part).to(self.device))
                    features += [
                        values[mask] if bool(mask.any()) else None
                        for values, mask in zip(output.values, output.mask, strict=True)
                    ]
            clips[name] = pad(features)
        return {name: clip.to(self.device) for name, clip in clips.items()}


def given_of(tensors: Mapping[str, Tensor | None]) -> tuple[str, ...]:
    """The modalities that a window has."""
    return tuple(name for name, tensor in tensors.items() if tensor is not None)


def _batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch
