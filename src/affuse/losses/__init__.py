"""Losses of one task: ``loss(logits, embedding, labels)``. One file per loss."""

from affuse.losses.base import Reduction, TaskLoss
from affuse.losses.center import CenterLoss
from affuse.losses.centers import CenteredLoss
from affuse.losses.contrastive_center import ContrastiveCenterLoss
from affuse.losses.cross_entropy import CrossEntropyLoss
from affuse.losses.weighted_sum import WeightedSum

__all__ = [
    "CenterLoss",
    "CenteredLoss",
    "ContrastiveCenterLoss",
    "CrossEntropyLoss",
    "Reduction",
    "TaskLoss",
    "WeightedSum",
]
