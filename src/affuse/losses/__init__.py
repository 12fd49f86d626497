"""Losses of one task: ``loss(logits, embedding, labels)``. One file per loss, but for plain errors of ratings."""

from affuse.losses.base import Reduction, TaskLoss
from affuse.losses.binary_cross_entropy import BinaryCrossEntropyLoss
from affuse.losses.center import CenterLoss
from affuse.losses.centers import CenteredLoss
from affuse.losses.concordance import ConcordanceLoss
from affuse.losses.contrastive_center import ContrastiveCenterLoss
from affuse.losses.cross_entropy import CrossEntropyLoss
from affuse.losses.dimension import DimensionLoss
from affuse.losses.errors_of_ratings import AbsoluteErrorLoss, HuberLoss, SquaredErrorLoss
from affuse.losses.votes import DivergenceLoss, SoftCrossEntropyLoss
from affuse.losses.weighted_sum import WeightedSum

__all__ = [
    "AbsoluteErrorLoss",
    "BinaryCrossEntropyLoss",
    "CenterLoss",
    "CenteredLoss",
    "ConcordanceLoss",
    "ContrastiveCenterLoss",
    "CrossEntropyLoss",
    "DimensionLoss",
    "DivergenceLoss",
    "HuberLoss",
    "Reduction",
    "SoftCrossEntropyLoss",
    "SquaredErrorLoss",
    "TaskLoss",
    "WeightedSum",
]
