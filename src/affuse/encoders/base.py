"""What every encoder is: one clip read from disk, then a batch turned into a feature sequence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from affuse.corpora.corpus import Utterance
from affuse.corpora.feature_references import split_reference
from affuse.files import digest
from affuse.files.names import find
from affuse.media.clock import clock_rule
from affuse.media.remarks import remarks
from affuse.media.sound_rule import sound_rule
from affuse.parts.options import Checked, Options
from affuse.parts.origins import code_of
from affuse.sequence import FeatureSequence


class EncoderOptions(Options):
    """The fields a recipe may set under ``modalities.<name>.options``: a base for every encoder's options.

    Attributes:
        formerly: Field -> what it was where an older affuse, which had no such field or another default, left it out.
    """

    formerly: ClassVar[Mapping[str, Any]] = {}


class Reading(NamedTuple):
    """What ``Encoder.read`` gives, and so what an exported network takes as a raw input.

    Attributes:
        dtype: Of the tensor.
        shape: Of one step, () where a step is one number.
        meaning: Of a step, with its unit.
        least: Steps of the shortest clip that ``forward`` takes.
    """

    dtype: torch.dtype
    shape: tuple[int, ...]
    meaning: str
    least: int = 1


AnyOptions = TypeVar("AnyOptions", bound=EncoderOptions)


class Encoder(Checked, nn.Module, ABC, Generic[AnyOptions]):
    """A step from a modality of a clip to a feature sequence.

    ``read`` takes one utterance from disk to a tensor, ``forward`` a padded batch of those to features.

    ``read`` learns nothing and is deterministic, so its result may be cached; so may ``forward``'s when the
    encoder is frozen (it then runs clip by clip, in evaluation mode). A batch must equal its clips one by one:
    ``forward`` honours the mask it is given, and gives (batch, steps, width) with an all-False mask where a clip is
    missing.

    An encoder of your own derives from ``Encoder[MyOptions]`` and writes ``width_of``, ``reading_of``, ``read`` and
    ``forward``.

    Args:
        options: An object of the class's ``Options``.

    Attributes:
        Options: The model of its options, which are known before any weight is loaded.
        kind: Which column of the corpus it reads: "audio", "text", "video" or "features".
        unscaled: True where features have no common scale: a recipe that does not say otherwise standardises them.
        cached: False where reading is as cheap as a cache hit would be.
        copied: True where a model folder always holds a copy of what the encoder is made of.
        sources: Options that may name a file or folder, which a model folder then keeps with its digest.
    """

    Options: ClassVar[type[EncoderOptions]] = EncoderOptions
    kind: ClassVar[str]
    unscaled: ClassVar[bool] = False
    cached: ClassVar[bool] = True
    copied: ClassVar[bool] = False
    sources: ClassVar[tuple[str, ...]] = ("model", "weights", "pca_weights", "detector")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let a class that replaces one of ``read`` and ``read_with_fault`` replace both."""
        super().__init_subclass__(**kwargs)
        if "read" in cls.__dict__ and "read_with_fault" not in cls.__dict__:
            cls.read_with_fault = Encoder.read_with_fault
        elif "read_with_fault" in cls.__dict__ and "read" not in cls.__dict__:
            cls.read = lambda self, utterance: self.read_with_fault(utterance)[0]
        # what another class reads differently is not in the cache under that class's key
        if {"read", "read_with_fault"} & set(cls.__dict__) and "reading_key" not in cls.__dict__:
            cls.reading_key = Encoder.reading_key  # type: ignore[assignment,method-assign]

    def __init__(self, options: AnyOptions) -> None:
        super().__init__()
        self.options = options

    @classmethod
    @abstractmethod
    def width_of(cls, options: AnyOptions) -> int:
        """Size of one step of the feature sequence, found without loading any weight."""

    @classmethod
    def adapter_of(cls, options: AnyOptions) -> nn.Module | None:
        """A trainable layer between ``forward``'s features, frozen or not, and the fusion; usually none."""
        return None

    @classmethod
    @abstractmethod
    def reading_of(cls, options: AnyOptions) -> Reading:
        """What ``read`` gives, step by step."""

    def write_source(self, folder: Path, weights: bool) -> dict[str, str | None]:
        """Write what rebuilds this encoder where its original is out of reach; with ``weights``, them too.

        Returns the options that then name a file or folder, relative to ``folder`` ("." is ``folder`` itself).
        Writes nothing where the options alone are enough.
        """
        return {}

    @classmethod
    def check_exportable(cls, options: AnyOptions) -> None:
        """Raise AffuseError, with the cure, if ``forward`` cannot become part of an ONNX file."""

    @classmethod
    def exported_reading_of(cls, options: AnyOptions) -> Reading:
        """What ``exportable()`` takes: ``reading_of``, or samples where the file computes the reading from them."""
        return cls.reading_of(options)

    def exportable(self) -> nn.Module:
        """What is traced for an ONNX file: a module with the weights of this one, that gives what ``forward`` gives."""
        return self

    def check_trainable(self) -> None:
        """Raise AffuseError, with the cure, if these options leave nothing that training could change."""

    @abstractmethod
    def read(self, utterance: Utterance) -> Tensor | None:
        """One utterance as a (time, ...) tensor, or None where it has no such modality.

        In a prediction the utterance is a window of a clip: its audio may be samples that were decoded already
        (``media.sound.Sound``, which opens as the file does), its times are the window's, and it has no features.

        Raises:
            ClipError: The clip cannot be used; the message says which file and why.
        """

    def read_with_fault(self, utterance: Utterance) -> tuple[Tensor | None, str]:
        """``read``, and what is particular about the clip: that only a part of it can be used, say ("": nothing)."""
        with remarks() as said:
            clip = self.read(utterance)
        return clip, " ".join(said)

    @abstractmethod
    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """Features of a padded batch, (batch, time, ...) -> (batch, steps, width)."""

    def media(self, utterance: Utterance) -> list[Any]:
        """What ``read`` depends on in this utterance: paths (their bytes count), text, times, side."""
        path = getattr(utterance, self.kind)
        if self.kind == "features":  # 'arrays.npz#KEY': the bytes count, not the name alone
            path = repr(sorted(path.items()))
            files = [
                find(split_reference(reference).path) for _, reference in sorted(utterance.features.items())
            ]
            return [path, *files, utterance.start, utterance.end]
        parts = [path, *utterance.span(self.kind), utterance.channel, utterance.side, *clock_rule(path)]
        if self.kind == "audio":
            parts += sound_rule(path)
            if utterance.track is not None:
                parts.append(f"track {utterance.track}")
        return parts

    @property
    def reading_key(self) -> str:
        """Digest of everything but the media that ``read``'s result depends on."""
        return digest(code_of(type(self)), self.options.model_dump_json())

    @property
    def features_key(self) -> str:
        """Digest of everything but the media that ``forward``'s result depends on."""
        state = [code_of(type(self)), self.options.model_dump_json(), self.reading_key]
        for name, tensor in sorted(self.state_dict().items()):
            state.append(f"{name} {tensor.dtype} {tuple(tensor.shape)}")
            state.append(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return digest(*state)
