"""Mean and deviation of every feature over the training part, for modalities with ``standardise: true``."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from affuse.errors import AffuseError
from affuse.models.layers import Standardiser
from affuse.models.network import Model
from affuse.training.features import Source


def fit_standardisers(model: Model, opened: Mapping[str, Source], ids: list[str]) -> None:
    """Fit the model's standardisers over the steps of the training part, summed in float64.

    Args:
        model: its standardisers are changed.
        opened: modality -> its clips, (time, width) each.
        ids: of the training part; clips that lack the modality are passed over.

    Raises:
        AffuseError: for an encoder that is trained, whose features change.
    """
    for name, standardiser in model.standardisers.items():
        assert isinstance(standardiser, Standardiser)
        if name in model.encoders:
            raise AffuseError(
                f"modalities.{name}: standardise needs frozen features, this encoder is trained."
            )
        count, total, squares, shift = 0, torch.zeros(()), torch.zeros(()), None
        for id in ids:
            clip = opened[name].load(id)
            if clip is None:
                continue
            # sums about the first step: E[x^2] - E[x]^2 of a large constant is noise, not 0
            shift = clip[0].double() if shift is None else shift
            steps = clip.double() - shift
            count, total, squares = count + len(steps), total + steps.sum(0), squares + steps.square().sum(0)
        if count and shift is not None:
            mean = total / count
            deviation = (squares / count - mean.square()).clamp(min=0).sqrt()
            standardiser.fit((mean + shift).float(), deviation.float())
