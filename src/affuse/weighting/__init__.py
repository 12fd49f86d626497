"""Weightings: the losses of several tasks to one scalar. One file per weighting.

The gradient-surgery family is in ``affuse.weighting.torchjd``.
"""

from affuse.weighting.base import Weighting
from affuse.weighting.dwa import DwaWeighting
from affuse.weighting.famo import FamoWeighting
from affuse.weighting.geometric import GeometricWeighting
from affuse.weighting.gradnorm import GradNormWeighting
from affuse.weighting.imtl_l import ImtlLWeighting
from affuse.weighting.rlw import RlwWeighting
from affuse.weighting.softmax import SoftmaxWeighting
from affuse.weighting.static import StaticWeighting, static_grid
from affuse.weighting.uncertainty import UncertaintyWeighting

__all__ = [
    "DwaWeighting",
    "FamoWeighting",
    "GeometricWeighting",
    "GradNormWeighting",
    "ImtlLWeighting",
    "RlwWeighting",
    "SoftmaxWeighting",
    "StaticWeighting",
    "UncertaintyWeighting",
    "Weighting",
    "static_grid",
]
