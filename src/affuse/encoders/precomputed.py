"""`precomputed`: arrays that a column of the corpus table names."""

from __future__ import annotations

import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from affuse.corpora.corpus import Utterance
from affuse.corpora.feature_references import split_reference
from affuse.encoders.base import Encoder, EncoderOptions, Reading
from affuse.errors import AffuseError, ClipError
from affuse.files import digest
from affuse.files.names import find
from affuse.sequence import FeatureSequence


class PrecomputedOptions(EncoderOptions):
    """Options of ``precomputed``."""

    name: str = Field(description="the column features_<name>")
    width: int | None = Field(default=None, gt=0, description="values per step; null: read off the corpus")


class PrecomputedEncoder(Encoder[PrecomputedOptions]):
    """Arrays that a column of the corpus names, passed on: (width,) is one step, (time, width) a sequence.

    Args:
        options: ``PrecomputedOptions``.

    Examples:
        >>> import torch
        >>> from affuse.sequence import pad
        >>> encoder = PrecomputedEncoder(PrecomputedOptions(name="openface", width=35))
        >>> encoder(pad([torch.ones(4, 35)])).values.shape
        torch.Size([1, 4, 35])
    """

    Options = PrecomputedOptions
    kind = "features"
    unscaled = True
    cached = False

    @classmethod
    @override
    def width_of(cls, options: PrecomputedOptions) -> int:
        if options.width is None:
            raise AffuseError(f"The width of features_{options.name} is not known; set the option 'width'.")
        return options.width

    @classmethod
    @override
    def reading_of(cls, options: PrecomputedOptions) -> Reading:
        return Reading(torch.float32, (cls.width_of(options),), f"step of features_{options.name}")

    @override
    def check_trainable(self) -> None:
        raise AffuseError("A precomputed modality has nothing to train; set its frozen: true.")

    @override
    def media(self, utterance: Utterance) -> list[Any]:
        reference = utterance.features.get(self.options.name)
        return [reference] if reference is None else [reference, find(split_reference(reference).path)]

    @property
    @override
    def reading_key(self) -> str:
        return digest("precomputed", self.options.name)

    def read(self, utterance: Utterance) -> Tensor | None:
        """(time, width) float32, or None where the column is blank."""
        reference = utterance.features.get(self.options.name)
        if reference is None:
            return None
        array = read_array(reference)
        if self.options.width is not None and array.shape[1] != self.options.width:
            raise ClipError(
                f"{reference} is {array.shape[1]} values wide where features_{self.options.name} should be "
                f"{self.options.width}; extract it again like the others."
            )
        return torch.from_numpy(array)

    @override
    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        return clips


def read_array(reference: str) -> np.ndarray:
    """'a.npy', 'a.npy#ROW', 'a.npz#KEY' or 'a.npz#KEY#ROW' -> (time, width) float32.

    Raises ClipError if the file, key or row is missing, the shape is not 1-D or 2-D, or a value is not finite.
    """
    path, inside = split_reference(reference)
    path = str(find(path))
    if path.endswith(".npz") and not inside:
        raise ClipError(f"{reference} holds several arrays; name one: {path}#KEY.")
    key = inside.pop(0) if inside and path.endswith(".npz") else None
    try:
        array = _open(path, key)
        if inside:
            array = array[int(inside[0])]
        array = np.array(array, dtype=np.float32)
    except FileNotFoundError:
        raise ClipError(f"The feature file {path} is missing; extract it or blank the field.") from None
    except (ValueError, TypeError, KeyError, IndexError, EOFError, OSError, BadZipFile, zlib.error) as error:
        raise ClipError(f"The features {reference} cannot be read ({error}); extract them again.") from None
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or array.size == 0:
        raise ClipError(f"The features {reference} have shape {array.shape}, not (time, width).")
    if not np.isfinite(array).all():
        raise ClipError(f"The features {reference} hold NaN or infinity; extract them again.")
    return array


@lru_cache(maxsize=8)
def _open(path: str, key: str | None) -> np.ndarray:
    if not Path(path).is_file():
        raise FileNotFoundError(path)
    if key is None:
        return np.lib.format.open_memmap(path, mode="r")  # refuses objects, which would be unpickled
    # opened here: numpy leaves a file open that is no archive
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
        return archive[key]
