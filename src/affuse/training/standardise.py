"""Mean and deviation of every feature over the training part, for modalities with ``standardise: true``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from affuse.errors import AffuseError
from affuse.models.layers import Standardiser
from affuse.models.network import Model
from affuse.training.features import Source

# modality -> mean and deviation of every feature, (width,) float32 each; None where no clip has the modality
FeatureStatistics = dict[str, tuple[Tensor, Tensor] | None]


def fit_standardisers(
    model: Model, opened: Mapping[str, Source], ids: Sequence[str], known: FeatureStatistics | None = None
) -> None:
    """Fit the model's standardisers over the steps of the training part, summed in float64.

    Args:
        model: its standardisers are changed.
        opened: modality -> its clips, (time, width) each.
        ids: of the training part; clips that lack the modality are passed over.
        known: of the same part of the same clips, found for another model; what it lacks is added to it.

    Raises:
        AffuseError: for an encoder that is trained, whose features change.
    """
    known = {} if known is None else known
    for name, standardiser in model.standardisers.items():
        assert isinstance(standardiser, Standardiser)
        if name in model.encoders:
            raise AffuseError(
                f"modalities.{name}: standardise needs frozen features, this encoder is trained."
            )
        if name not in known:
            known[name] = feature_statistics(opened[name], ids)
        if (found := known[name]) is not None:
            mean, deviation = found
            standardiser.fit(mean.clone(), deviation.clone())


def feature_statistics(source: Source, ids: Sequence[str]) -> tuple[Tensor, Tensor] | None:
    """Mean and deviation of every feature over all steps of the clips, (width,) float32 each; None without a step."""
    count, total, squares, shift = 0, torch.zeros(()), torch.zeros(()), None
    for id in ids:
        clip = source.load(id)
        if clip is None:
            continue
        # sums about the first step: E[x^2] - E[x]^2 of a large constant is noise, not 0
        shift = clip[0].double() if shift is None else shift
        steps = clip.double() - shift
        count, total, squares = count + len(steps), total + steps.sum(0), squares + steps.square().sum(0)
    if not count or shift is None:
        return None
    mean = total / count
    deviation = (squares / count - mean.square()).clamp(min=0).sqrt()
    return (mean + shift).float(), deviation.float()
