"""The network of a recipe: encoders, fusion, heads and losses wired together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack, cast

import torch
from torch import Tensor, nn

from affuse.errors import AffuseError
from affuse.losses.base import known
from affuse.models.defaults import PredictionDefaults
from affuse.models.layers import Standardiser, TaskHead
from affuse.models.parts import build_fusion, build_loss, resolve_encoders, with_absolute_paths
from affuse.parts.registry import unknown
from affuse.recipe import Modality, Recipe, Task
from affuse.sequence import FeatureSequence

if TYPE_CHECKING:
    from affuse.encoders.base import Encoder
    from affuse.inference.live.stream import LiveStream
    from affuse.inference.many import Batch
    from affuse.inference.settings import SettingsArguments
    from affuse.inference.timeline import Timeline
    from affuse.progress import Progress


class Output(NamedTuple):
    """What the network gives for a batch.

    Attributes:
        logits: Task -> (batch, classes), of the tasks that tell classes.
        embedding: (batch, width), the fusion's.
        features: What the heads were computed from: tensors of the graph at which weightings may compare gradients.
        values: Task -> (batch,), of the regressions, in units of half the range from its middle.
        label_logits: Task -> (batch, labels), of the tasks that tell several labels: a sigmoid gives the probability of
            each.
    """

    logits: dict[str, Tensor]
    embedding: Tensor
    features: list[Tensor]
    values: dict[str, Tensor]
    label_logits: dict[str, Tensor]

    @property
    def told(self) -> dict[str, Tensor]:
        """Task -> what its loss reads, of all kinds; a regression's values are (batch,)."""
        return {**self.logits, **self.values, **self.label_logits}


class Model(nn.Module):
    """The network of a recipe: per modality an encoder and its adapter, one fusion, and a head per task.

    ``forward`` takes, per modality, the features of a frozen encoder or what a trained encoder reads. Frozen
    encoders are not part of the network: they run once per clip, before it (``training.features``). Any modality may be
    missing from any clip.

    Args:
        recipe: Its sections modalities, fusion, head and tasks.
        label_spaces: Task -> classes, or labels where there are several at once, in the order of the logits;
            regressions have none.

    Attributes:
        label_spaces: Of the tasks that tell one class.
        label_sets: Task -> labels, of the tasks that tell several at once.
        dimensions: Task -> scale, of the regressions.
        defaults: What prediction needs to know of the training; of an untrained network it knows nothing.
        resolved: Modality -> its encoder, frozen or not, with its checked options.
        widths: Modality -> width of the steps that the fusion reads.

    Raises:
        AffuseError: An option that does not fit, or a loss that trains neither a classifier nor centers.
    """

    def __init__(self, recipe: Recipe, label_spaces: Mapping[str, list[str]]) -> None:
        super().__init__()
        self.recipe = recipe = with_absolute_paths(recipe)
        self.defaults = PredictionDefaults()  # training fills it in
        self.label_spaces = {task: list(label_spaces[task]) for task in recipe.classified}
        self.label_sets = {task: list(label_spaces[task]) for task in recipe.label_sets}
        self.dimensions = recipe.dimensions
        self.resolved = resolve_encoders(recipe)
        self.encoders, self.standardisers, self.adapters = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        for name, modality in recipe.modalities.items():
            self._add_modality(name, modality)
        self.widths = {name: encoder.width for name, encoder in self.resolved.items()}
        self.fusion = build_fusion(recipe.fusion, self.widths)
        self.heads, self.losses = nn.ModuleDict(), nn.ModuleDict()
        for task, choice in recipe.tasks.items():
            self._add_task(task, choice, self.fusion.width)

    def _add_modality(self, name: str, modality: Modality) -> None:
        resolved = self.resolved[name]
        if not modality.frozen:
            encoder = resolved.make()
            encoder.check_trainable()
            self.encoders[name] = encoder
        if modality.standardise:
            self.standardisers[name] = Standardiser()
        if (adapter := resolved.part.adapter_of(resolved.options)) is not None:
            self.adapters[name] = adapter

    def _add_task(self, task: str, choice: Task, width: int) -> None:
        classes = 1 if task in self.dimensions else len(self.names[task])
        self.losses[task] = loss = build_loss(task, choice, classes, width)
        if loss.reads_logits:
            self.heads[task] = TaskHead(width, classes, self.recipe.head)
        elif loss.centered is None:
            raise AffuseError(f"The loss of task {task!r} trains neither a classifier nor centers.")

    @property
    def tasks(self) -> list[str]:
        """The tasks in the order in which ``fuse`` computes them, and their dropout draws: by kind."""
        return [*self.label_spaces, *self.dimensions, *self.label_sets]

    @property
    def names(self) -> dict[str, list[str]]:
        """Task -> classes or labels, of all tasks that have some: what ``labels.json`` holds."""
        return {**self.label_spaces, **self.label_sets}

    @property
    def trained_encoders(self) -> dict[str, Encoder]:
        """Modality -> the encoder that is part of the network; frozen ones are not."""
        return {name: cast("Encoder", encoder) for name, encoder in self.encoders.items()}

    def forward(self, clips: Mapping[str, FeatureSequence]) -> Output:
        """Run the network.

        Args:
            clips: Modality -> (batch, time, ...) with its mask; one that is not named is missing from all clips.

        Raises:
            AffuseError: For a modality that the model does not have, and for none at all.
        """
        return self.fuse(self.encode(clips))

    def encode(self, clips: Mapping[str, FeatureSequence]) -> dict[str, FeatureSequence]:
        """What the fusion reads, of every modality: (batch, time, width), all masked where nothing was given.

        Raises AffuseError for a modality that the model does not have, and for none at all.
        """
        for name in clips:
            if name not in self.widths:
                raise AffuseError(f"{unknown(name, list(self.widths), 'modalities of this model')}.")
        if not clips:
            raise AffuseError(f"The model was given no modality; it reads {', '.join(self.widths)}.")
        given = next(iter(clips.values())).mask
        sequences = {}
        for name, width in self.widths.items():
            if name not in clips:
                blank = torch.zeros(given.shape[0], 1, width, device=given.device)
                sequences[name] = FeatureSequence(blank, given.new_zeros(given.shape[0], 1))
                continue
            sequence = clips[name]
            if name in self.encoders:
                sequence = self.encoders[name](sequence)
            sequences[name] = self.prepare(name, sequence)
        return sequences

    def prepare(self, name: str, features: FeatureSequence) -> FeatureSequence:
        """An encoder's features as the fusion reads them: standardised, layers mixed, where the recipe has it so."""
        if name in self.standardisers:
            features = self.standardisers[name](features)
        return self.adapters[name](features) if name in self.adapters else features

    def fuse(self, sequences: Mapping[str, FeatureSequence]) -> Output:
        """From what ``encode`` gave to the answer: cheap where encoders are trained, so subsets share ``encode``."""
        opinions = self.fusion.opinions(sequences)
        logits = {task: opinions.logits(partial(self._logits, task)) for task in self.label_spaces}
        values = {task: opinions.values(partial(self._logits, task)) for task in self.dimensions}
        several = {task: opinions.label_logits(partial(self._logits, task)) for task in self.label_sets}
        return Output(logits, opinions.embedding(), opinions.features, values, several)

    def _logits(self, task: str, embedding: Tensor) -> Tensor:
        if task in self.heads:
            return self.heads[task](embedding)
        # Nothing trains a classifier: the nearest center decides. Minus half the squared distance is the log
        # density of a unit Gaussian at each center, so softmax gives the posterior of that mixture.
        return -0.5 * self.losses[task].centered.squared_distances(embedding)  # type: ignore[union-attr]

    def task_losses(self, output: Output, labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Unweighted scalar loss of each task that has a label in the batch; labels: (batch, ...), see ``known``."""
        found = output.told | {task: values[..., None] for task, values in output.values.items()}
        return {
            task: self.losses[task](found[task], output.embedding, labels[task])
            for task in self.recipe.tasks
            if bool(known(labels[task]).any())
        }

    def predict(
        self,
        clip: str | Path | tuple[Any, int] | Any,
        rate: int | None = None,
        *,
        progress: Progress | None = None,
        **settings: Unpack[SettingsArguments],
    ) -> Timeline:
        """Tell emotion (and the model's other tasks) over time, in one clip of any length.

        Args:
            clip: An audio or video file, or sound in memory as ``(samples, rate)``: a NumPy array or PyTorch tensor of
                shape ``(n,)``, ``(channels, n)`` or ``(n, channels)``, floats from -1 to 1 or integer PCM, and its
                sampling rate in Hz.
            rate: The sampling rate, where ``clip`` is the samples alone: ``model.predict(samples, 16_000)``.
            progress: What it reports to; None: a bar in a terminal or notebook, else nothing.
            **settings: The fields of ``affuse.inference.settings.Settings``: ``window``, ``hop``, ``vad``, ``unsure``,
                ``text`` or ``words`` for a model that reads words, and so on.

        Raises:
            ClipError: The clip cannot be used.
            AffuseError: Settings that do not fit.

        Examples:
            >>> import numpy as np
            >>> import affuse
            >>> model = affuse.build("voice-offline")  # untrained: its answers mean nothing
            >>> hum = 0.1 * np.sin(2 * np.pi * 120 * np.arange(32_000) / 16_000)
            >>> timeline = model.predict((hum, 16_000), vad=False)
            >>> timeline.seconds
            2.0
        """
        from affuse.inference.companions import with_words
        from affuse.inference.predict import Predictor
        from affuse.inference.settings import Settings
        from affuse.media.samples import Samples
        from affuse.progress import watched

        if rate is not None and isinstance(clip, str | Path):
            raise AffuseError(f"rate belongs to samples in memory, and {clip} is a file; leave rate out.")
        given = clip if rate is None else (clip, rate)
        source = Path(given) if isinstance(given, str | Path) else Samples.of(given)
        predictor = Predictor(self, with_words(Settings.of(settings), source))
        with watched(progress, transient=True) as watching:
            return predictor.predict(source, watching.count("windows"))

    def predict_many(
        self,
        clips: Iterable[Any],
        *,
        out: str | Path | None = None,
        formats: Sequence[str] | None = None,
        plot: bool = False,
        overwrite: bool = False,
        jobs: int | None = 1,
        progress: Progress | None = None,
        **settings: Unpack[SettingsArguments],
    ) -> Batch:
        """Predict many clips; a clip that fails is an outcome with its cause, and the others go on.

        See ``affuse.inference.many.predict_many`` for the arguments. Nothing runs before the batch is iterated over.

        Examples:
            >>> import numpy as np
            >>> import affuse
            >>> model = affuse.build("voice-offline")
            >>> noise = np.random.default_rng(0).normal(0, 0.1, 16_000)
            >>> for outcome in model.predict_many([(noise, 16_000), "gone.wav"], vad=False):
            ...     print(outcome.cause or outcome.timeline.seconds)
            1.0
            gone.wav does not exist; correct the path.
        """
        from affuse.inference.many import predict_many

        return predict_many(
            self, clips, out=out, formats=formats, plot=plot, overwrite=overwrite, jobs=jobs, progress=progress,
            **settings,
        )  # fmt: skip

    def stream(
        self,
        rate: int,
        *,
        tasks: Sequence[str] | None = None,
        partial: bool = True,
        pictures: bool = False,
        **settings: Unpack[SettingsArguments],
    ) -> LiveStream:
        """Predict sound while it goes on: a microphone, a call, a pipe; with a webcam's pictures, if they come too.

        Args:
            rate: Of the samples, in Hz.
            tasks: Those that are answered; None: all of the model's.
            partial: Tell segments too that may still change; False saves the time that they take.
            pictures: Whether ``push_picture`` will be given the speaker's pictures beside the sound.
            **settings: ``window``, ``hop``, ``vad``, ``unsure``, ``classes``, ``asr``, ``device``, and with pictures
                ``side``, ``face``, ``detector``, as of ``predict``. Those of files do not go with a stream.

        Returns:
            A ``LiveStream``: ``push`` it blocks of samples, then ``close`` it. Both return segments, each with
            ``final``: whether it may change. All final ones together are those of ``predict`` on the whole recording.

        Raises:
            AffuseError: Settings that do not fit, a model that reads pictures alone and a stream without, or one that
                does not read them and a stream with.

        Examples:
            >>> import numpy as np
            >>> import affuse
            >>> model = affuse.build("voice-offline")  # untrained: its answers mean nothing
            >>> hum = 0.1 * np.sin(2 * np.pi * 120 * np.arange(32_000) / 16_000)
            >>> stream = model.stream(16_000, vad=False, partial=False)
            >>> found = [*stream.push(hum[:20_000]), *stream.push(hum[20_000:]), *stream.close()]
            >>> found[-1].segment.end, all(one.final for one in found)
            (2.0, True)
        """
        from affuse.inference.live.stream import LiveStream
        from affuse.inference.settings import Settings

        return LiveStream(self, rate, tasks, partial, Settings.of(settings), pictures)

    def trainable_parameters(self) -> int:
        """Parameters that training can change, centers left out (they belong to a loss)."""
        return sum(
            p.numel() for n, p in self.named_parameters() if p.requires_grad and not n.startswith("losses.")
        )
