"""Layers that compute one network, or several networks of one shape at once.

A layer whose parameters have one more dimension in front, (runs, ...), takes inputs with that dimension in front, and
row s of the output is what the layer with parameters s gives for row s of the input: several trainings are then one
pass (``training.stacked``). What is written with these layers, and with operations that count dimensions from the
last one, is written once for both.
"""

from affuse.layers.attention import MultiheadAttention
from affuse.layers.convolution import StepConvolution
from affuse.layers.dropout import Dropout, Streams
from affuse.layers.encoder import EncoderLayer
from affuse.layers.linear import Linear, linear
from affuse.layers.norm import LayerNorm
from affuse.layers.stacking import per_run, pick_rows

__all__ = [
    "Dropout",
    "EncoderLayer",
    "LayerNorm",
    "Linear",
    "MultiheadAttention",
    "StepConvolution",
    "Streams",
    "linear",
    "per_run",
    "pick_rows",
]
