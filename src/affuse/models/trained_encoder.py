"""A trained model of one modality as an encoder: its answer is a step of scores, for models that join several."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from affuse.corpora.corpus import Utterance
from affuse.encoders.base import Encoder, EncoderOptions, Reading
from affuse.errors import AffuseError
from affuse.files import digest
from affuse.models.finding import find_folder
from affuse.models.index import INDEX, LABELS, RECIPE, read_json
from affuse.models.loading import inside, load_model
from affuse.models.parts import ResolvedEncoder, resolve_encoders
from affuse.recipe import Recipe
from affuse.recipe.kinds import refuse_kinds
from affuse.sequence import FeatureSequence


class TrainedOptions(EncoderOptions):
    """Options of ``audio_model`` and ``text_model``."""

    model: str = Field(description="folder of an affuse model that reads this modality alone")


class TrainedModel(Encoder[TrainedOptions]):
    """An affuse model that reads one modality: a clip in, one step of scores out, ln p of every class of every task.

    The probabilities are those of its predictions, its temperatures applied. Always frozen; its folder is copied into
    the folder of a model that it is part of.

    Args:
        options: ``TrainedOptions``.

    Raises:
        AffuseError: There is no such model, or it reads something else than this modality.
    """

    Options = TrainedOptions
    copied: ClassVar[bool] = True

    def __init__(self, options: TrainedOptions) -> None:
        super().__init__(options)
        about = _about(options.model, self.kind)
        self.model = load_model(about.folder)
        self.modality = about.modality
        own = self.model.trained_encoders.get(about.modality)
        # a frozen encoder is not in its model's weights, but the scores depend on it as on those
        self.reader: Encoder[Any] = own or self.model.resolved[about.modality].make().eval()
        self.temperatures = {task: self.model.defaults.of_task(task).temperature for task in about.spaces}

    @classmethod
    def spaces(cls, options: TrainedOptions) -> dict[str, list[str]]:
        """Task -> its classes, in the order of the scores: those of the first task, then those of the next."""
        return dict(_about(options.model, cls.kind).spaces)

    @classmethod
    @override
    def width_of(cls, options: TrainedOptions) -> int:
        return sum(map(len, cls.spaces(options).values()))

    @classmethod
    @override
    def reading_of(cls, options: TrainedOptions) -> Reading:
        return _about(options.model, cls.kind).resolved.reading

    @classmethod
    @override
    def exported_reading_of(cls, options: TrainedOptions) -> Reading:
        resolved = _about(options.model, cls.kind).resolved
        return resolved.part.exported_reading_of(resolved.options)

    @classmethod
    @override
    def check_exportable(cls, options: TrainedOptions) -> None:
        resolved = _about(options.model, cls.kind).resolved
        resolved.part.check_exportable(resolved.options)

    @override
    def exportable(self) -> nn.Module:
        return _Scores(self, self.reader.exportable())

    @override
    def check_trainable(self) -> None:
        raise AffuseError("A trained model in the place of an encoder stays as it is; set its frozen: true.")

    @override
    def write_source(self, folder: Path, weights: bool) -> dict[str, str | None]:
        """The model's folder; with ``weights``, the encoders that it names too."""
        from affuse.models.saving import save_model

        card = _about(self.options.model, self.kind).folder / "README.md"
        text = card.read_text(encoding="utf-8") if card.is_file() else None
        save_model(self.model, folder, card=text, self_contained=weights)
        return {"model": "."}

    @override
    def media(self, utterance: Utterance) -> list[Any]:
        return self.reader.media(utterance)

    @property
    @override
    def reading_key(self) -> str:
        return self.reader.reading_key

    @property
    @override
    def features_key(self) -> str:
        """With the temperatures, which are in no tensor."""
        return digest(super().features_key, self.reader.features_key, repr(sorted(self.temperatures.items())))

    @override
    def read(self, utterance: Utterance) -> Tensor | None:
        return self.reader.read(utterance)

    @override
    def read_with_fault(self, utterance: Utterance) -> tuple[Tensor | None, str]:
        return self.reader.read_with_fault(utterance)

    @override
    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """What the model's own encoder reads -> (batch, 1, width); a missing clip's step is masked."""
        return self.scores(self.reader(clips), clips.present)

    def scores(self, features: FeatureSequence, present: Tensor) -> FeatureSequence:
        """The step of scores of features, or of what a trained encoder gave for them."""
        sequences = {self.modality: self.model.prepare(self.modality, features)}
        logits = self.model.fuse(sequences).logits
        parts = [(logits[task] / t).log_softmax(dim=-1) for task, t in self.temperatures.items()]
        values = torch.cat(parts, dim=-1)[:, None] * present[:, None, None]
        return FeatureSequence(values, present[:, None])


class AudioModel(TrainedModel):
    """A trained affuse model of sound as an encoder: one step, ln p of every class of every task."""

    kind = "audio"


class TextModel(TrainedModel):
    """A trained affuse model of words as an encoder: one step, ln p of every class of every task."""

    kind = "text"


class _Scores(nn.Module):
    """A trained model with its encoder as it goes into an ONNX file."""

    def __init__(self, trained: TrainedModel, reader: nn.Module) -> None:
        super().__init__()
        self.trained, self.reader = trained, reader

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """As ``TrainedModel.forward``."""
        return self.trained.scores(self.reader(clips), clips.present)


class _About(NamedTuple):
    """What a model's folder says without its weights."""

    folder: Path
    modality: str
    resolved: ResolvedEncoder
    spaces: Mapping[str, list[str]]


def _about(source: str, kind: str) -> _About:
    folder = find_folder(source)
    index = (folder / INDEX).stat()
    return _read_about(folder, kind, index.st_mtime_ns, index.st_size)


@lru_cache(maxsize=32)
def _read_about(folder: Path, kind: str, changed: int, size: int) -> _About:
    """Once for every state of a folder, whose index is written last."""
    recipe = inside(Recipe.load(folder / RECIPE), folder)
    refuse_kinds("used in an encoder's place", regression=recipe.dimensions, multilabel=recipe.label_sets)
    resolved = resolve_encoders(recipe)
    if [one.kind for one in resolved.values()] != [kind]:
        reads = " and ".join(f"{name} ({one.kind})" for name, one in resolved.items())
        raise AffuseError(
            f"The model {folder} reads {reads}; a model that reads {kind} alone is needed here."
        )
    ((modality, encoder),) = resolved.items()
    return _About(folder, modality, encoder, read_json(folder / LABELS))
