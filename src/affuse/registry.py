"""Name -> where the part lives. Parts are imported when used, so that ``affuse --help`` stays fast."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import Any

from affuse.errors import AffuseError
from affuse.names import listed, quote

_COMPARED = 200  # letters of a name that are looked at for a near one

PARTS: dict[str, dict[str, str]] = {
    "corpora": {
        "iemocap": "affuse.corpora.readers.iemocap:prepare",
        "generated": "affuse.corpora.readers.generated:prepare",
        "emodb": "affuse.corpora.readers.emodb:prepare",
        "ravdess": "affuse.corpora.readers.ravdess:prepare",
        "meld": "affuse.corpora.readers.meld:prepare",
        "csv": "affuse.corpora.readers.table:prepare",
    },
    "encoders": {
        "bert": "affuse.encoders.text:TextEncoder",
        "vggish": "affuse.encoders.vggish.encoder:VGGishEncoder",
        "speech": "affuse.encoders.speech:SpeechEncoder",
        "waveform": "affuse.encoders.waveform:WaveformEncoder",
        "logmel": "affuse.encoders.logmel:LogMelEncoder",
        "resnet50": "affuse.encoders.visual:VisualEncoder",
        "hog": "affuse.encoders.hog:HogEncoder",
        "precomputed": "affuse.encoders.precomputed:PrecomputedEncoder",
    },
    "fusions": {
        "concat": "affuse.fusion.concat:ConcatFusion",
        "attention": "affuse.fusion.attention:AttentionFusion",
        "lstm": "affuse.fusion.lstm:LSTMFusion",
        "gated": "affuse.fusion.gated:GatedFusion",
        "cross_attention": "affuse.fusion.cross_attention:CrossAttentionFusion",
        "bottleneck": "affuse.fusion.bottleneck:BottleneckFusion",
        "late": "affuse.fusion.late:LateFusion",
    },
    "losses": {
        "cross_entropy": "affuse.losses.cross_entropy:CrossEntropyLoss",
        "center": "affuse.losses.center:CenterLoss",
        "contrastive_center": "affuse.losses.contrastive_center:ContrastiveCenterLoss",
    },
    "weightings": {
        "static": "affuse.weighting.static:StaticWeighting",
        "softmax": "affuse.weighting.softmax:SoftmaxWeighting",
        "uncertainty": "affuse.weighting.uncertainty:UncertaintyWeighting",
        "dwa": "affuse.weighting.dwa:DwaWeighting",
        "rlw": "affuse.weighting.rlw:RlwWeighting",
        "geometric": "affuse.weighting.geometric:GeometricWeighting",
        "imtl_l": "affuse.weighting.imtl_l:ImtlLWeighting",
        "gradnorm": "affuse.weighting.gradnorm:GradNormWeighting",
        "famo": "affuse.weighting.famo:FamoWeighting",
        "pcgrad": "affuse.weighting.torchjd:PcGradWeighting",
        "mgda": "affuse.weighting.torchjd:MgdaWeighting",
        "cagrad": "affuse.weighting.torchjd:CaGradWeighting",
        "nash_mtl": "affuse.weighting.torchjd:NashMtlWeighting",
        "aligned_mtl": "affuse.weighting.torchjd:AlignedMtlWeighting",
        "upgrad": "affuse.weighting.torchjd:UpGradWeighting",
    },
}

# Encoders whose features have no common scale: a recipe that does not say otherwise standardises them.
UNSCALED = ("logmel", "hog", "precomputed")


def get(family: str, name: str) -> Any:
    """The class or function called ``name`` in ``family``; AffuseError with the nearest names if unknown."""
    parts = PARTS[family]
    if name not in parts:
        raise AffuseError(f"{unknown(name, list(parts), family)}; see 'affuse list {family}'.")
    module, attribute = parts[name].split(":")
    return getattr(import_module(module), attribute)


def unknown(name: str, known: list[str], what: str) -> str:
    """'There is no 'concatt' among the fusions (did you mean 'concat'?)'."""
    close = get_close_matches(name[:_COMPARED], known, n=1)
    hint = f"did you mean {quote(close[0])}?" if close else f"there are {listed(known)}"
    return f"There is no {quote(name)} among the {what} ({hint})"
