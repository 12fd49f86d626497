"""What every fusion is: the modalities' feature sequences in, one embedding out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from affuse.parts.options import Checked, Options
from affuse.sequence import FeatureSequence

NEVER = -1e30  # a logit whose softmax is 0, and finite: an infinite one has no gradient


class FusionOptions(Options):
    """The fields a recipe may set under ``fusion.options``: a base for every fusion's options."""


class Opinions(NamedTuple):
    """What the task heads read: one embedding, or several whose probabilities are averaged.

    Attributes:
        embeddings: One (batch, width) per opinion.
        log_weights: (batch, opinions), the logarithms of weights that sum to 1; None: a single opinion.
    """

    embeddings: list[Tensor]
    log_weights: Tensor | None = None

    @property
    def features(self) -> list[Tensor]:
        """The tensors through which every loss depends on the network before the heads."""
        return self.embeddings if self.log_weights is None else [*self.embeddings, self.log_weights]

    def embedding(self) -> Tensor:
        """The weighted mean of the embeddings, (batch, width)."""
        if self.log_weights is None:
            return self.embeddings[0]
        return torch.einsum("...o,...ow->...w", self.log_weights.exp(), torch.stack(self.embeddings, dim=-2))

    def logits(self, head: Callable[[Tensor], Tensor]) -> Tensor:
        """The head's logits, (batch, classes); for several opinions ln sum_o w_o softmax(head(e_o)).

        Softmax of the latter is the weighted mean of the opinions' probabilities, and cross-entropy its
        negative log-likelihood.
        """
        if self.log_weights is None:
            return head(self.embeddings[0])
        log_p_boc = torch.stack(
            [head(embedding).log_softmax(dim=-1) for embedding in self.embeddings], dim=-2
        )
        return (self.log_weights[..., None] + log_p_boc).logsumexp(dim=-2)

    def values(self, head: Callable[[Tensor], Tensor]) -> Tensor:
        """The head's number for each clip, (batch,); for several opinions sum_o w_o head(e_o)."""
        if self.log_weights is None:
            return head(self.embeddings[0]).squeeze(-1)
        told = torch.stack([head(embedding).squeeze(-1) for embedding in self.embeddings], dim=-1)
        return (self.log_weights.exp() * told).sum(dim=-1)

    def label_logits(self, head: Callable[[Tensor], Tensor]) -> Tensor:
        """The head's logit of each of several labels, (batch, labels).

        Of several opinions the logit of p = sum_o w_o sigmoid(head(e_o)), the weighted mean of their probabilities.
        """
        if self.log_weights is None:
            return head(self.embeddings[0])
        told_bol = torch.stack([head(embedding) for embedding in self.embeddings], dim=-2)
        weights = self.log_weights[..., None]
        there, absent = ((weights + logsigmoid(sign * told_bol)).logsumexp(dim=-2) for sign in (1, -1))
        return there - absent


class Fusion(Checked, nn.Module, ABC):
    """A step from the feature sequences of all modalities to one embedding.

    A batch must equal its clips one by one, and an utterance that lacks a modality (its mask is False
    throughout) must give finite numbers that do not depend on what stands in the padding.

    A fusion of your own derives from this class, sets ``width`` in its constructor and writes ``forward``.

    Args:
        widths: Modality -> width of one step of its features, in the recipe's order.
        options: An object of the class's ``Options``, or None for the defaults.

    Attributes:
        Options: The model of its options.
        width: Size of the embedding.
        stacks: True where it is written with ``affuse.layers`` and counts dimensions from the last: it then fuses the
            batches of several runs at once. ``training.stacked`` maps a fusion without it over the runs (torch.vmap).
    """

    Options: ClassVar[type[FusionOptions]] = FusionOptions
    stacks: ClassVar[bool] = False
    width: int

    @abstractmethod
    def forward(self, sequences: Mapping[str, FeatureSequence]) -> Tensor:
        """The embedding of a batch.

        Args:
            sequences: Modality -> (batch, time, width) with mask.

        Returns:
            (batch, self.width).
        """

    def opinions(self, sequences: Mapping[str, FeatureSequence]) -> Opinions:
        """What the heads read: the embedding, except where each modality is classified on its own."""
        return Opinions([self(sequences)])
