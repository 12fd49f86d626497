"""Fusions: feature sequences to one embedding. One file per fusion.

A fusion is called as ``fusion({"text": sequence, "audio": sequence})`` with feature sequences and their masks.
"""

from affuse.fusion.attention import AttentionFusion, AttentionOptions
from affuse.fusion.base import Fusion, FusionOptions, Opinions
from affuse.fusion.bottleneck import BottleneckFusion, BottleneckOptions
from affuse.fusion.concat import ConcatFusion, ConcatOptions
from affuse.fusion.cross_attention import CrossAttentionFusion, CrossAttentionOptions
from affuse.fusion.gated import GatedFusion, GatedOptions
from affuse.fusion.late import LateFusion, LateOptions
from affuse.fusion.lstm import LSTMFusion, LSTMFusionOptions
from affuse.fusion.pooling import pool

__all__ = [
    "AttentionFusion",
    "AttentionOptions",
    "BottleneckFusion",
    "BottleneckOptions",
    "ConcatFusion",
    "ConcatOptions",
    "CrossAttentionFusion",
    "CrossAttentionOptions",
    "Fusion",
    "FusionOptions",
    "GatedFusion",
    "GatedOptions",
    "LSTMFusion",
    "LSTMFusionOptions",
    "LateFusion",
    "LateOptions",
    "Opinions",
    "pool",
]
