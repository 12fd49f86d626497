"""An ONNX file that affuse wrote, of a model of one modality with raw inputs, as an encoder: one step of scores."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from affuse.corpora.corpus import Utterance
from affuse.encoders.base import Encoder, EncoderOptions, Reading
from affuse.encoders.text import TextEncoder, TextOptions
from affuse.errors import AffuseError, ClipError, argument
from affuse.files import digest, file_digest
from affuse.models.defaults import PredictionDefaults
from affuse.recipe.kinds import refuse_kinds
from affuse.sequence import FeatureSequence

_RATE = re.compile(r"sample of mono sound at (\d+) Hz")
_FILE = "model.onnx"


class ExportedOptions(EncoderOptions):
    """Options of ``audio_onnx`` and ``text_onnx``."""

    model: str = Field(
        description="an ONNX file that 'affuse export --inputs raw' wrote of a model of one modality"
    )


class ExportedFile(NamedTuple):
    """What the metadata of such a file say.

    Attributes:
        path: The file.
        name: Of the model.
        modality: The name of its one input.
        kind: What it reads.
        reading: Of a step of the input.
        encoder: The options of the encoder inside.
        labels: Task -> classes.
        defaults: Temperatures and thresholds.
    """

    path: Path
    name: str
    modality: str
    kind: str
    reading: Reading
    encoder: Mapping[str, Any]
    labels: Mapping[str, list[str]]
    defaults: PredictionDefaults


def read_exported(source: str) -> ExportedFile:
    """Read a file's metadata. Raises AffuseError where it is none of affuse's, or not of one modality's raw input."""
    path = Path(source).expanduser()
    if not path.is_file():
        raise AffuseError(f"There is no ONNX file {path}; correct the path.")
    about = path.stat()
    return _read(path, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=16)
def _read(path: Path, changed: int, size: int) -> ExportedFile:
    told = _session(path).get_modelmeta().custom_metadata_map
    try:
        labels, inputs = json.loads(told["labels"]), json.loads(told["inputs"])
        modalities = json.loads(told["preprocessing"])["modalities"]
        prediction = PredictionDefaults.model_validate(json.loads(told["prediction"]))
    except (KeyError, ValueError, TypeError):
        raise AffuseError(
            f"{path} is no ONNX file that affuse wrote: its metadata say no labels or inputs."
        ) from None
    ranges, label_sets = (json.loads(told.get(name, "{}")) for name in ("ranges", "label_sets"))
    refuse_kinds("used in an encoder's place", regression=ranges, multilabel=label_sets)
    if len(inputs) != 1 or not next(iter(inputs.values()))["raw"]:
        has = ", ".join(f"{name} ({'raw' if one['raw'] else 'features'})" for name, one in inputs.items())
        raise AffuseError(
            f"{path} takes {has}; a file of one modality that takes raw inputs is needed: export it with "
            f"{argument('inputs', 'raw')}, or adopt the model's folder."
        )
    ((name, one),) = inputs.items()
    dtype = torch.int64 if one["dtype"] == "int64" else torch.float32
    reading = Reading(dtype, tuple(one["step"]), one["meaning"], one["least_steps"])
    kind = modalities[name]["kind"]
    if kind == "video" or (kind == "audio" and not _RATE.match(reading.meaning)):
        raise AffuseError(
            f"{path} takes {reading.meaning}, which affuse does not read for it; adopt the model's folder."
        )
    return ExportedFile(
        path, told.get("name", path.stem), name, kind, reading, modalities[name]["options"], labels,
        prediction,
    )  # fmt: skip


class ExportedModel(Encoder[ExportedOptions]):
    """An exported model of one modality: a clip in, one step of scores out, ln p of every class of every task.

    onnxruntime computes it, clip by clip, with the temperatures that the file holds. The file is copied into the
    folder of a model that it is part of.

    Args:
        options: ``ExportedOptions``.

    Raises:
        AffuseError: There is no such file, or it reads something else.
    """

    Options = ExportedOptions
    copied: ClassVar[bool] = True

    def __init__(self, options: ExportedOptions) -> None:
        super().__init__(options)
        self.about = read_exported(options.model)
        if self.about.kind != self.kind:
            raise AffuseError(
                f"{options.model} reads {self.about.kind}, not {self.kind}; take {self.about.kind}_onnx."
            )
        self.digest = file_digest(self.about.path)

    @classmethod
    def spaces(cls, options: ExportedOptions) -> dict[str, list[str]]:
        """Task -> its classes, in the order of the scores."""
        return dict(read_exported(options.model).labels)

    @classmethod
    @override
    def width_of(cls, options: ExportedOptions) -> int:
        return sum(map(len, cls.spaces(options).values()))

    @classmethod
    @override
    def reading_of(cls, options: ExportedOptions) -> Reading:
        return read_exported(options.model).reading

    @classmethod
    @override
    def check_exportable(cls, options: ExportedOptions) -> None:
        raise AffuseError(
            f"{options.model} is an ONNX file already and no part of another; export with "
            f"{argument('inputs', 'features')}."
        )

    @override
    def check_trainable(self) -> None:
        raise AffuseError("An ONNX file stays as it is; set its frozen: true.")

    @override
    def write_source(self, folder: Path, weights: bool) -> dict[str, str | None]:
        """The file."""
        import shutil

        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.about.path, folder / _FILE)
        return {"model": _FILE}

    @property
    @override
    def features_key(self) -> str:
        return digest(super().features_key, self.digest)

    @cached_property
    def session(self) -> Any:
        """The file in onnxruntime."""
        return _session(self.about.path)

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """(batch, steps) -> (batch, 1, scores)."""
        present = clips.present
        values = torch.zeros(len(present), 1, self.width_of(self.options), device=clips.values.device)
        outputs = [f"logits_{task}" for task in self.about.labels]
        for row, (steps, mask) in enumerate(zip(clips.values, clips.mask, strict=True)):
            if not bool(mask.any()):
                continue
            given = steps[mask].to(self.about.reading.dtype).cpu().numpy()[None]
            feed = {
                self.about.modality: given,
                f"{self.about.modality}_mask": np.ones(given.shape[:2], dtype=bool),
            }
            logits = self.session.run(outputs, feed)
            parts = [
                (torch.from_numpy(one[0]) / self.about.defaults.of_task(task).temperature).log_softmax(dim=-1)
                for task, one in zip(self.about.labels, logits, strict=True)
            ]
            values[row, 0] = torch.cat(parts).to(values.device)
        return FeatureSequence(values, present[:, None])


class AudioExported(ExportedModel):
    """An exported model of sound as an encoder: one step, ln p of every class of every task."""

    kind = "audio"

    @property
    @override
    def reading_key(self) -> str:
        return digest("waveform", str(self.rate))

    @property
    def rate(self) -> int:
        """Samples a second."""
        found = _RATE.match(self.about.reading.meaning)
        assert found is not None  # read_exported refuses others
        return int(found[1])

    def read(self, utterance: Utterance) -> Tensor | None:
        """(samples,) float32; None where the utterance has no audio."""
        if utterance.audio is None:
            return None
        waveform = utterance.waveform(self.rate)
        if len(waveform) < self.about.reading.least:
            raise ClipError(
                f"{utterance.audio} holds {len(waveform)} samples for {utterance.id}; {self.about.path.name} needs "
                f"at least {self.about.reading.least}."
            )
        return torch.from_numpy(waveform)


class TextExported(ExportedModel):
    """An exported model of words as an encoder: one step, ln p of every class of every task."""

    kind = "text"

    @cached_property
    def reader(self) -> TextEncoder:
        """What makes token ids of words: the encoder that the file was made of, its network's weights unused."""
        named = {key: value for key, value in self.about.encoder.items() if key in TextOptions.model_fields}
        try:
            return TextEncoder(TextOptions(**named))
        except AffuseError as error:
            raise AffuseError(
                f"The tokenizer of {self.about.path} is that of {named.get('model')}, which cannot be had ({error}); "
                "adopt the model's folder in place of the file."
            ) from None

    @override
    def media(self, utterance: Utterance) -> list[Any]:
        return [utterance.text]

    def read(self, utterance: Utterance) -> Tensor | None:
        """(tokens,) int64 ids; None where the text is blank."""
        return self.reader.read(utterance)


def _session(path: Path) -> Any:
    if find_spec("onnxruntime") is None:
        raise AffuseError(
            "The package onnxruntime is not installed; ONNX files need: pip install 'affuse[export]'."
        )
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has an exception of its own for every fault
        reason = " ".join(str(error).split())[:120]
        raise AffuseError(
            f"{path} is no ONNX file that can be read ({reason}); export the model again."
        ) from None
