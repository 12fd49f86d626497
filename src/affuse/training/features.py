"""From a corpus to what the network takes: every clip read (and encoded, where frozen) once, in the cache."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from affuse.corpora.corpus import Utterance
from affuse.corpora.durations import seconds_of
from affuse.encoders.base import Encoder
from affuse.errors import AffuseError, ClipError
from affuse.failures import cause_of
from affuse.sequence import pad
from affuse.training.cache import ContentKeys, FeatureCache

READERS = 2  # threads that decode ahead while the encoder computes
AHEAD = 8  # decoded clips that may wait: memory stays flat however large the corpus


class Skipped(NamedTuple):
    """A clip that could not be used, or only in part, as ``skipped.csv`` lists it."""

    id: str
    modality: str
    cause: str


class _Reading(NamedTuple):
    """One clip as a thread read it.

    ``clip`` is None where its features are in the cache already; ``key`` too where it lacks the modality.
    """

    key: str | None
    clip: Tensor | None
    fault: str
    audio_seconds: float


@dataclass
class Extraction:
    """Where one modality's tensors are, and what it took."""

    keys: dict[str, str | None] = field(default_factory=dict)  # id -> cache key; None: modality missing
    skipped: list[Skipped] = field(default_factory=list)
    partial: list[Skipped] = field(default_factory=list)  # used as far as they could be decoded
    computed: int = 0
    audio_seconds: float = 0.0  # of what was computed, not of cache hits
    wall_seconds: float = 0.0

    @property
    def speed(self) -> str:
        """'3.1 hours of audio per minute', or '' where nothing was computed."""
        if not self.audio_seconds or not self.wall_seconds:
            return ""
        return f"{self.audio_seconds / 3600 / (self.wall_seconds / 60):.2f} hours of audio per minute"


class Source(Protocol):
    """id -> the tensor the network takes for one modality; None where it is missing."""

    @property
    def ids(self) -> list[str]:
        """Every utterance that may be asked for, whether it has the modality or not."""
        ...

    def load(self, id: str) -> Tensor | None:
        """(time, ...) of one utterance, or None."""
        ...


@contextmanager
def _fit_threads(encoder: Encoder) -> Generator[None]:
    """One thread for an encoder without weights.

    Its operations are so small that several threads only wait for each other, at ten times the processor time.
    """
    threads = torch.get_num_threads()
    if next(encoder.parameters(), None) is None:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def encode_clip(encoder: Encoder, clip: Tensor, device: torch.device | str = "cpu") -> Tensor:
    """(time, ...) as read -> (steps, width), alone and in evaluation mode: no neighbour changes a digit."""
    with torch.inference_mode():
        output = encoder(pad([clip]).to(device))
    return output.values[0][output.mask[0]].to("cpu", torch.float32).clone()


def extract(
    name: str,
    encoder: Encoder,
    frozen: bool,
    utterances: Sequence[Utterance],
    cache: FeatureCache,
    device: torch.device | str = "cpu",
    advance: Callable[[], None] = lambda: None,
) -> Extraction:
    """Put every utterance's tensor of one modality into the cache; ``advance`` is called once per utterance.

    Decoding runs in threads, ahead of the encoder by at most a few clips. A clip that cannot be used, whatever the
    exception, is listed in ``skipped`` with its cause, one that can be used in part in ``partial``. Raises
    AffuseError when the cache cannot be written.
    """
    began = time.perf_counter()
    result = Extraction()
    encoder_key = cache.version + (encoder.features_key if frozen else encoder.reading_key)
    keys = ContentKeys()
    if frozen:
        encoder.eval().to(device)

    def read(utterance: Utterance) -> _Reading:
        key = keys.key(encoder, encoder_key, utterance)
        if (cached := cache.entry(key)) is not None:  # read in full: a damaged file is a miss
            return _Reading(key, None, cached.fault, 0.0)
        clip, fault = encoder.read_with_fault(utterance)
        if clip is None:
            return _Reading(None, None, fault, 0.0)
        return _Reading(key, clip, fault, _audio_seconds(encoder, utterance))

    def keep(utterance: Utterance, outcome: _Reading | Exception) -> None:
        if isinstance(outcome, Exception):
            result.skipped.append(_skipped(utterance.id, name, outcome))
            return
        key, clip, fault, seconds = outcome
        if key is not None and clip is not None:
            try:
                tensor = encode_clip(encoder, clip, device) if frozen else clip
            except Exception as error:
                result.skipped.append(_skipped(utterance.id, name, error))
                return
            cache.put(key, tensor, fault)
            result.computed += 1
            result.audio_seconds += seconds
        if fault:
            result.partial.append(Skipped(utterance.id, name, fault))
        result.keys[utterance.id] = key

    with _fit_threads(encoder):
        for utterance, outcome in _read_ahead(utterances, read):
            advance()
            keep(utterance, outcome)
    result.wall_seconds = time.perf_counter() - began
    return result


def _read_ahead(
    utterances: Iterable[Utterance], read: Callable[[Utterance], _Reading]
) -> Iterator[tuple[Utterance, _Reading | Exception]]:
    """In order; what goes wrong with a clip is a result like any other."""
    waiting: deque[tuple[Utterance, Future[_Reading]]] = deque()
    with ThreadPoolExecutor(READERS) as pool:
        try:
            for utterance in utterances:
                waiting.append((utterance, pool.submit(read, utterance)))
                if len(waiting) > AHEAD:
                    yield _outcome(*waiting.popleft())
            while waiting:
                yield _outcome(*waiting.popleft())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _outcome(utterance: Utterance, future: Future[_Reading]) -> tuple[Utterance, _Reading | Exception]:
    try:
        return utterance, future.result()
    except Exception as error:
        return utterance, error


def _skipped(id: str, modality: str, error: Exception) -> Skipped:
    """Raises what is no clip's fault: a full disk, and an AffuseError that is not a ClipError."""
    if isinstance(error, AffuseError) and not isinstance(error, ClipError):
        raise error
    return Skipped(id, modality, cause_of(error, f"{id}: its {modality}"))


def _audio_seconds(encoder: Encoder, utterance: Utterance) -> float:
    return (seconds_of(utterance, "audio") or 0.0) if encoder.kind == "audio" else 0.0


class CachedSource:
    """Tensors from the cache; the most recent stay in memory up to ``budget`` bytes."""

    def __init__(
        self, keys: Mapping[str, str | None], cache: FeatureCache, budget: int = 2_000_000_000
    ) -> None:
        self.keys = dict(keys)
        self.cache = cache
        self.budget = budget
        self._kept: dict[str, Tensor] = {}

    @property
    def ids(self) -> list[str]:
        """See ``Source``."""
        return list(self.keys)

    def load(self, id: str) -> Tensor | None:
        """See ``Source``. Raises AffuseError where the cache has lost it meanwhile."""
        key = self.keys[id]
        if key is None:
            return None
        if key in self._kept:
            return self._kept[key]
        tensor = self.cache.get(key)
        if tensor is None:
            raise AffuseError(
                f"The cached features of {id} vanished or were damaged while they were in use "
                f"({self.cache.folder}); run the command again, they are then computed again."
            )
        if tensor.nbytes <= self.budget:
            self.budget -= tensor.nbytes
            self._kept[key] = tensor
        return tensor


class LiveSource:
    """Tensors read (and encoded, where frozen) each time they are asked for."""

    def __init__(
        self,
        encoder: Encoder,
        frozen: bool,
        utterances: Mapping[str, Utterance],
        device: torch.device | str = "cpu",
    ) -> None:
        self.encoder = encoder.eval().to(device) if frozen else encoder
        self.frozen = frozen
        self.utterances = utterances
        self.device = device

    @property
    def ids(self) -> list[str]:
        """See ``Source``."""
        return list(self.utterances)

    def load(self, id: str) -> Tensor | None:
        """See ``Source``. Raises ClipError where the clip cannot be used."""
        clip = self.encoder.read(self.utterances[id])
        if clip is None or not self.frozen or not self.encoder.cached:
            return clip
        return encode_clip(self.encoder, clip, self.device)


class Trial(NamedTuple):
    """What reading every clip of an uncached modality once found."""

    present: dict[str, bool]
    skipped: list[Skipped]
    partial: list[Skipped]


def check_live(name: str, source: LiveSource, ids: Iterable[str]) -> Trial:
    """Try every clip of an uncached modality once."""
    present: dict[str, bool] = {}
    skipped, partial = [], []
    for id in ids:
        try:
            clip, fault = source.encoder.read_with_fault(source.utterances[id])
            present[id] = clip is not None
            if fault:
                partial.append(Skipped(id, name, fault))
        except Exception as error:
            skipped.append(_skipped(id, name, error))
    return Trial(present, skipped, partial)
