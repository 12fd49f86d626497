"""Running a model over batches of clips: the one loop behind run tables, subsets, evaluation, export and timelines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from affuse.models.network import Model, Output
from affuse.sequence import FeatureSequence


class ClipBatch(Protocol):
    """Some clips as the network takes them.

    clips: modality -> (batch, time, ...) with its mask; a modality that no clip has may be left out.
    index: (batch,) the place of each clip among all.
    """

    @property
    def clips(self) -> Mapping[str, FeatureSequence]:
        """As above."""
        ...

    @property
    def index(self) -> Tensor:
        """As above."""
        ...


_Batch = TypeVar("_Batch", bound=ClipBatch)
_Answer = TypeVar("_Answer")


def run_batches(
    model: Model, batches: Iterable[_Batch], device: torch.device | str = "cpu"
) -> Iterator[tuple[_Batch, Output | None]]:
    """Yield each batch with the network's output, in evaluation mode and without gradients.

    Args:
        model: moved to ``device``, and left there in evaluation mode.
        batches: read one at a time, so they may be made as they are asked for.
        device: where the network runs; the output stays there.

    Yields:
        (batch, output); the output of a batch without any modality is None.
    """
    return run_batches_with(model, model, batches, device)


def run_batches_with(
    forward: Callable[[dict[str, FeatureSequence]], _Answer],
    model: Model,
    batches: Iterable[_Batch],
    device: torch.device | str = "cpu",
) -> Iterator[tuple[_Batch, _Answer | None]]:
    """As ``run_batches``, with something else than the whole network: ``forward`` takes modality -> clips."""
    model.eval().to(device)
    for batch in batches:
        clips = {name: sequence.to(device) for name, sequence in batch.clips.items()}
        if not clips:
            yield batch, None
            continue
        with torch.inference_mode():  # left before the generator pauses: the caller's code is not ours
            answer = forward(clips)
        yield batch, answer
