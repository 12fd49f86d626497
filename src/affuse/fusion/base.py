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
    """Feature sequences by modality -> one embedding per clip. A batch must equal its clips one by one."""

    Options: ClassVar[type[FusionOptions]] = FusionOptions
    width: int  # of the embedding

    @abstractmethod
    def forward(self, sequences: Mapping[str, FeatureSequence]) -> Tensor:
        """modality -> (batch, time, width) with its mask, to (batch, width)."""
