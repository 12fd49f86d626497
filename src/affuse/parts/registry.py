"""Name -> part, for every family: ours, those of installed packages, and those that a script registers.

Parts are imported when used, so that ``affuse --help`` stays fast. An installed package names its parts in entry points
(``affuse.losses``, ``affuse.weightings``, ``affuse.fusions``, ``affuse.encoders``, ``affuse.corpora``), a script calls
``register``. A recipe or a model folder holds names alone: nothing in one is ever imported.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import cache, lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, TypeVar, overload

from affuse import __version__
from affuse.errors import AffuseError
from affuse.names import near, quote
from affuse.parts import interfaces
from affuse.parts.interfaces import SINGULAR
from affuse.parts.origins import Origin, origin_of, path_of

if TYPE_CHECKING:
    from affuse.parts.options import Options

Part = TypeVar("Part", bound=Callable[..., Any])

PARTS: dict[str, dict[str, str]] = {
    "corpora": {
        "iemocap": "affuse.corpora.readers.iemocap:prepare",
        "generated": "affuse.corpora.readers.generated:prepare",
        "emodb": "affuse.corpora.readers.emodb:prepare",
        "ravdess": "affuse.corpora.readers.ravdess:prepare",
        "cremad": "affuse.corpora.readers.cremad:prepare",
        "meld": "affuse.corpora.readers.meld:prepare",
        "goemotions": "affuse.corpora.readers.goemotions:prepare",
        "csv": "affuse.corpora.readers.table:prepare",
    },
    "encoders": {
        "bert": "affuse.encoders.text:TextEncoder",
        "vggish": "affuse.encoders.vggish.encoder:VGGishEncoder",
        "speech": "affuse.encoders.speech:SpeechEncoder",
        "waveform": "affuse.encoders.waveform:WaveformEncoder",
        "logmel": "affuse.encoders.logmel:LogMelEncoder",
        "functionals": "affuse.encoders.functionals:FunctionalsEncoder",
        "resnet50": "affuse.encoders.visual:VisualEncoder",
        "vision": "affuse.encoders.vision:VisionEncoder",
        "hog": "affuse.encoders.hog:HogEncoder",
        "precomputed": "affuse.encoders.precomputed:PrecomputedEncoder",
        "audio_model": "affuse.models.trained_encoder:AudioModel",
        "text_model": "affuse.models.trained_encoder:TextModel",
        "audio_onnx": "affuse.models.exported_encoder:AudioExported",
        "text_onnx": "affuse.models.exported_encoder:TextExported",
        "audio_classifier": "affuse.encoders.classifiers.audio:AudioClassifier",
        "text_classifier": "affuse.encoders.classifiers.text:TextClassifier",
        "image_classifier": "affuse.encoders.classifiers.image:ImageClassifier",
    },
    "fusions": {
        "concat": "affuse.fusion.concat:ConcatFusion",
        "attention": "affuse.fusion.attention:AttentionFusion",
        "lstm": "affuse.fusion.lstm:LSTMFusion",
        "gated": "affuse.fusion.gated:GatedFusion",
        "cross_attention": "affuse.fusion.cross_attention:CrossAttentionFusion",
        "bottleneck": "affuse.fusion.bottleneck:BottleneckFusion",
        "late": "affuse.fusion.late:LateFusion",
        "opinion_pool": "affuse.fusion.opinion_pool:OpinionPool",
    },
    "losses": {
        "cross_entropy": "affuse.losses.cross_entropy:CrossEntropyLoss",
        "center": "affuse.losses.center:CenterLoss",
        "contrastive_center": "affuse.losses.contrastive_center:ContrastiveCenterLoss",
        "ccc": "affuse.losses.concordance:ConcordanceLoss",
        "mse": "affuse.losses.errors_of_ratings:SquaredErrorLoss",
        "mae": "affuse.losses.errors_of_ratings:AbsoluteErrorLoss",
        "huber": "affuse.losses.errors_of_ratings:HuberLoss",
        "soft_cross_entropy": "affuse.losses.votes:SoftCrossEntropyLoss",
        "kl": "affuse.losses.votes:DivergenceLoss",
        "binary_cross_entropy": "affuse.losses.binary_cross_entropy:BinaryCrossEntropyLoss",
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

# Ours with ``unscaled = True``, so that a recipe is read without importing them.
_UNSCALED = ("logmel", "functionals", "hog", "precomputed")


_registered: dict[tuple[str, str], Any] = {}  # (family, name) -> part
_carried: dict[
    tuple[str, str], str
] = {}  # in a worker process: ``module:name`` of what its parent registered


def names(family: str) -> list[str]:
    """The names of a family: ours, then those of installed packages, then those that were registered here."""
    own = _table(family)
    foreign = [
        name
        for kind, name in (*_entry_points(), *_registered, *_carried)
        if kind == family and name not in own
    ]
    return [*own, *dict.fromkeys(foreign)]


def get(family: str, name: str) -> Any:
    """The class or function called ``name`` in ``family``.

    Raises:
        AffuseError: There is none, with the nearest names; or its package cannot be imported.
    """
    known = _table(family)
    if name in known:
        module, attribute = known[name].split(":")
        return getattr(import_module(module), attribute)
    if (family, name) in _registered:
        return _registered[family, name]
    if (family, name) in _carried:
        return _imported(family, name, _carried[family, name])
    check_name(family, name)
    return _loaded(family, name, _entry_points()[family, name])


def check_name(family: str, name: str) -> None:
    """AffuseError with the nearest names where the family has no such part; imports nothing."""
    known = name in _table(family) or (family, name) in _registered or (family, name) in _carried
    if not known and (family, name) not in _entry_points():
        raise AffuseError(f"{unknown(name, names(family), family)}; see 'affuse list {family}'.")


def options(family: str, name: str) -> type[Options]:
    """What options a part has, as a pydantic model that checks them."""
    from affuse.parts.options import options_of  # pydantic comes with it, which names alone do not need

    return options_of(get(family, name), interfaces.GIVEN[family])


@overload
def register(family: str, name: str, part: Part) -> Part: ...
@overload
def register(family: str, name: str) -> Callable[[Part], Part]: ...
def register(family: str, name: str, part: Part | None = None) -> Part | Callable[[Part], Part]:
    """Add a part of your own, under a name that recipes can use; a function or a decorator.

    An installed package does better with an entry point: its parts are then there without a script, and model folders
    name the package. See "Your own loss, weighting, fusion, encoder, corpus" in the documentation.

    Args:
        family: "losses", "weightings", "fusions", "encoders" or "corpora".
        name: Lower-case letters, digits and underscores, beginning with a letter.
        part: A class derived from ``affuse.losses.TaskLoss``, ``affuse.weighting.Weighting``,
            ``affuse.fusion.Fusion`` or ``affuse.encoders.Encoder``; for a corpus a function
            ``prepare(source, out, *, ...)``. Left out, ``register`` is a decorator.

    Returns:
        The part itself.

    Raises:
        AffuseError: There is no such family, the name is taken by another part, or the part lacks something that
            affuse calls.

    Examples:
        >>> from torch.nn.functional import one_hot
        >>> from affuse.losses import TaskLoss
        >>> @register("losses", "brier")
        ... class BrierLoss(TaskLoss):
        ...     reads_logits = True
        ...
        ...     def per_utterance(self, logits, embedding, labels):
        ...         return (logits.softmax(-1) - one_hot(labels, self.num_classes)).square().sum(-1)
        >>> "brier" in names("losses")
        True
    """
    if part is None:
        return lambda found: register(family, name, found)
    known = _table(family)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", str(name)):
        raise AffuseError(
            f"{quote(name)} cannot be the name of a {SINGULAR[family]}: use lower-case letters, digits and "
            "underscores, beginning with a letter."
        )
    interfaces.check(family, name, part)
    taken = name in known or (family, name) in _entry_points() or (family, name) in _registered
    if taken and not _is_same(family, name, part):
        raise AffuseError(
            f"There is a {SINGULAR[family]} {name!r} already ({origin(family, name)}); register {path_of(part)} under "
            f"another name, such as 'my_{name}'."
        )
    if not taken or (family, name) in _registered:
        _registered[family, name] = part
    return part


def origin(family: str, name: str) -> Origin:
    """The package and version that a part comes from ("affuse" for ours, "" for a script's), and its module and name.

    Examples:
        >>> origin("losses", "center").package
        'affuse'
    """
    known = _table(family)
    if name in known:
        return Origin("affuse", __version__, known[name])
    if (family, name) not in _registered and (entry := _entry_points().get((family, name))) is not None:
        return _origin_of(entry)
    return origin_of(get(family, name))


def unscaled(encoder: object) -> bool:
    """Whether an encoder's features have no common scale: a recipe that does not say otherwise standardises them."""
    if not isinstance(encoder, str) or is_own("encoders", encoder):
        return encoder in _UNSCALED
    try:
        return bool(get("encoders", encoder).unscaled)
    except AffuseError:  # the field ``encoder`` is checked by itself
        return False


def refresh() -> None:
    """Look for installed packages again, as after a ``pip install`` in a notebook."""
    _entry_points.cache_clear()
    _loaded.cache_clear()


def is_own(family: str, name: str) -> bool:
    """Whether the part is affuse's own."""
    return name in _table(family)


def carried() -> dict[tuple[str, str], str]:
    """What was registered, as a worker process needs it: (family, name) -> ``module:name``."""
    return {key: path_of(part) for key, part in _registered.items()}


def carry(registered: dict[tuple[str, str], str]) -> None:
    """Make known in a worker process what its parent had registered; each is imported when it is used."""
    _carried.update(registered)


def only_here(family: str, name: str) -> bool:
    """Whether a part was registered by a script or notebook itself, and so cannot be imported by a worker process."""
    return (family, name) in _registered and not _importable(path_of(_registered[family, name]))


def unknown(name: str, known: list[str], what: str) -> str:
    """'There is no 'concatt' among the fusions (did you mean 'concat'?)'."""
    return f"There is no {quote(name)} among the {what} ({near(name, known)})"


def _table(family: str) -> dict[str, str]:
    if family not in PARTS:
        raise AffuseError(f"{unknown(str(family), list(PARTS), 'families of parts')}.")
    return PARTS[family]


def _importable(path: str) -> bool:
    return not path.startswith("__main__:") and "<" not in path


def _imported(family: str, name: str, path: str) -> Any:
    """What the parent process had registered, imported in a worker."""
    module, _, attribute = path.partition(":")
    try:
        if not _importable(path):
            raise ImportError
        part: Any = import_module(module)
        for step in attribute.split("."):
            part = getattr(part, step)
    except (ImportError, AttributeError):
        raise AffuseError(
            f"The {SINGULAR[family]} {name!r} ({path}) cannot be imported by a worker process, which does not run the "
            "script or notebook that defines it; move it to a module that the script imports, or use one process "
            "(jobs=1)."
        ) from None
    _registered[family, name] = part
    return part


def _is_same(family: str, name: str, part: Any) -> bool:
    """The very part, or what a cell or module that was run again has made of it."""
    if (family, name) in _registered:
        there = _registered[family, name]
        return there is part or (path_of(there) == path_of(part) and "<" not in path_of(part))
    if name in PARTS[family]:
        return PARTS[family][name] == path_of(part)
    return _entry_points()[family, name].value.replace(" ", "") == path_of(part)


@lru_cache(maxsize=1)
def _entry_points() -> dict[tuple[str, str], EntryPoint]:
    """(family, name) -> where the part is, by the metadata of installed packages alone."""
    found: dict[tuple[str, str], EntryPoint] = {}
    for family, own in PARTS.items():
        for entry in entry_points(group=f"affuse.{family}"):
            first = found.get((family, entry.name))
            if (
                first is not None and first.value == entry.value
            ):  # one package, found in two folders of sys.path
                continue
            if entry.name in own or first is not None:
                other = "affuse" if first is None else str(_origin_of(first))
                warnings.warn(
                    f"The {SINGULAR[family]} {entry.name!r} of {_origin_of(entry)} is not used, for {other} has one of "
                    "that name; ask its author to choose another name.",
                    stacklevel=2,
                )
                continue
            found[family, entry.name] = entry
    return found


def _origin_of(entry: EntryPoint) -> Origin:
    package = entry.dist
    return Origin(package.name if package else "", package.version if package else "", entry.value)


@cache
def _loaded(family: str, name: str, entry: EntryPoint) -> Any:
    try:
        part = entry.load()
    except (ImportError, AttributeError) as error:
        raise AffuseError(
            f"The {SINGULAR[family]} {name!r} of {_origin_of(entry)} cannot be imported ({error}); install that "
            "package again."
        ) from None
    interfaces.check(family, name, part)
    return part
