"""Weightings: the losses of several tasks to one scalar. One file per weighting.

A weighting is called as ``weighting({"emotion": l_e, "gender": l_g})`` with each task's scalar loss.
"""

from affuse.weighting.base import Weighting
from affuse.weighting.dwa import DwaWeighting
from affuse.weighting.famo import FamoWeighting
from affuse.weighting.geometric import GeometricWeighting
from affuse.weighting.gradnorm import GradNormWeighting
from affuse.weighting.imtl_l import ImtlLWeighting
from affuse.weighting.randomness import RandomStream
from affuse.weighting.rlw import RlwWeighting
from affuse.weighting.softmax import SoftmaxWeighting
from affuse.weighting.static import StaticWeighting, static_grid
from affuse.weighting.torchjd import (
    AlignedMtlWeighting,
    CaGradWeighting,
    MgdaWeighting,
    NashMtlWeighting,
    PcGradWeighting,
    UpGradWeighting,
)
from affuse.weighting.uncertainty import UncertaintyWeighting

__all__ = [
    "AlignedMtlWeighting",
    "CaGradWeighting",
    "DwaWeighting",
    "FamoWeighting",
    "GeometricWeighting",
    "GradNormWeighting",
    "ImtlLWeighting",
    "MgdaWeighting",
    "NashMtlWeighting",
    "PcGradWeighting",
    "RandomStream",
    "RlwWeighting",
    "SoftmaxWeighting",
    "StaticWeighting",
    "UncertaintyWeighting",
    "UpGradWeighting",
    "Weighting",
    "static_grid",
]
