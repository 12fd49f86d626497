"""A model as one process of the service has it: its facts, its encoders, and the readers made of them."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import torch

from affuse.encoders.base import Encoder
from affuse.errors import AffuseError
from affuse.inference.clip_reader import ClipReader, lengths_of_windows
from affuse.inference.clip_words import ClipWords
from affuse.inference.predict import usual_window
from affuse.inference.settings import Settings
from affuse.inference.window_answers import WindowNetwork
from affuse.models.loading import load_model
from affuse.recipe.kinds import refuse_kinds


class Side:
    """A model with its frozen encoders.

    Args:
        folder: Where it is loaded from.
        device: Where it runs.
        batch: Windows that run through the network together.
        words: Load the encoders of words now; False: when a clip has words. A decoder begins sooner without them, and
            is smaller.

    Attributes:
        wordless: Why its words cannot be read (an extra that is not installed), or "".

    Raises:
        AffuseError: It cannot be loaded, or reads nothing that a clip can give.
    """

    def __init__(self, folder: str | Path, device: str = "cpu", batch: int = 16, words: bool = True) -> None:
        self.model = load_model(folder)
        refuse_kinds("served", multilabel=self.model.label_sets)
        self.kinds = {name: encoder.kind for name, encoder in self.model.resolved.items()}
        if set(self.kinds.values()) == {"features"}:
            raise AffuseError(
                f"{folder} reads pre-extracted features alone, which cannot be taken from a clip."
            )
        self.wordless = ""
        self._device, self._weightless = device, False
        self._later = [] if words else self.worded
        loaded = self._word_encoders() if words else {}
        without = [name for name in self.worded if name not in loaded]
        self.network = WindowNetwork(self.model, device, batch, without, loaded)

    def _word_encoders(self) -> dict[str, Encoder]:
        loaded: dict[str, Encoder] = {}
        for name in self.worded:
            try:
                loaded[name] = self.model.resolved[name].make().eval().to(self._device)
            except AffuseError as error:
                if set(self.kinds.values()) == {"text"}:
                    raise
                self.wordless = f"The words are not used: {error}"
        return loaded

    @property
    def worded(self) -> list[str]:
        """The modalities that read words."""
        return [name for name, kind in self.kinds.items() if kind == "text"]

    def forget_weights(self) -> None:
        """Free what reading does not need, and what is loaded later too."""
        self._weightless = True
        for module in (self.model, *self.network.encoders.values()):
            for parameter in module.parameters():
                parameter.data = torch.empty(0)
        give_back_memory()

    def reader(self, settings: Settings, words: ClipWords, worded: bool) -> ClipReader:
        """What reads clips under some settings; ``worded``: a clip may have words although no text is given."""
        if self._later and (worded or settings.worded):
            self._later = []
            self.network.encoders |= self._word_encoders()
            if self._weightless:
                self.forget_weights()
        window, hop = lengths_of_windows(usual_window(self.model.defaults), settings)
        encoders = {
            name: encoder
            for name, encoder in self.network.encoders.items()
            if self.kinds[name] != "text" or worded or settings.worded
        }
        return ClipReader(encoders, self.kinds, settings, window, hop, words)


def give_back_memory() -> None:
    """Hand what is free to the system, where the C library keeps it for itself (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
