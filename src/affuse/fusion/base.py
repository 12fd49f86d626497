"""What every fusion is: the modalities' feature sequences in, one embedding out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from affuse.sequence import FeatureSequence


class FusionOptions(BaseModel):
    """The fields a recipe may set under ``fusion.options``. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Fusion(nn.Module, ABC):
    """Built from the feature widths of the modalities, in the recipe's order.

    A batch must equal its clips one by one, and an utterance that lacks a modality (its mask is False
    throughout) must give finite numbers that do not depend on what stands in the padding.
    """

    Options: ClassVar[type[FusionOptions]] = FusionOptions
    width: int  # size of the embedding

    @abstractmethod
    def forward(self, sequences: Mapping[str, FeatureSequence]) -> Tensor:
        """Modality -> (batch, time, width) with mask; gives (batch, self.width)."""
