"""Encoders, fusion, heads and losses wired from a recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack, cast

import torch
from torch import Tensor, nn

from affuse.errors import AffuseError
from affuse.models.defaults import PredictionDefaults
from affuse.models.parts import build_fusion, build_loss, resolve_encoders, with_absolute_paths
from affuse.recipe import Head, Recipe
from affuse.registry import unknown
from affuse.sequence import FeatureSequence

if TYPE_CHECKING:
    from affuse.encoders.base import Encoder
    from affuse.inference.many import Batch
    from affuse.inference.settings import SettingsArguments
    from affuse.inference.timeline import Timeline


class Output(NamedTuple):
    """logits: task -> (batch, classes); embedding: (batch, width); features: what the heads were computed from."""

    logits: dict[str, Tensor]
    embedding: Tensor
    features: list[Tensor]


class Standardiser(nn.Module):
    """(x - mean) / deviation per feature, with statistics of the training part; identity until fitted."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))

    def fit(self, mean: Tensor, deviation: Tensor) -> None:
        """A feature that never varies is only shifted."""
        self.mean = mean
        self.deviation = torch.where(deviation > 1e-8, deviation, 1.0)

    def forward(self, sequence: FeatureSequence) -> FeatureSequence:
        mask = sequence.mask.reshape(*sequence.mask.shape, *[1] * (sequence.values.dim() - 2))
        return FeatureSequence((sequence.values - self.mean) / self.deviation * mask, sequence.mask)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for name in ("mean", "deviation"):  # statistics have the shape of the features they were fitted on
            if prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name]))
        super()._load_from_state_dict(state_dict, prefix, *args)


class TaskHead(nn.Sequential):
    """Dropout -> [Linear -> activation] -> Linear."""

    def __init__(self, width: int, classes: int, head: Head) -> None:
        layers: list[nn.Module] = [nn.Dropout(head.dropout)]
        if head.hidden is not None:
            layers.append(nn.Linear(width, head.hidden))
            width = head.hidden
            if head.activation != "none":
                layers.append(nn.LeakyReLU() if head.activation == "leaky_relu" else nn.ReLU())
        super().__init__(*layers, nn.Linear(width, classes))


class Model(nn.Module):
    """The network of a recipe.

    ``forward`` takes, per modality, the features of a frozen encoder or what a trained encoder reads. Frozen
    encoders are not part of the network: they run once per clip, before it (``training.features``).
    """

    def __init__(self, recipe: Recipe, label_spaces: Mapping[str, list[str]]) -> None:
        super().__init__()
        self.recipe = recipe = with_absolute_paths(recipe)
        self.defaults = PredictionDefaults()  # training fills it in
        self.label_spaces = {task: list(label_spaces[task]) for task in recipe.tasks}
        self.encoders = nn.ModuleDict()
        self.standardisers = nn.ModuleDict()
        self.adapters = nn.ModuleDict()
        widths: dict[str, int] = {}
        self.resolved = resolve_encoders(
            recipe
        )  # modality -> its encoder, frozen or not, and its checked options
        for name, modality in recipe.modalities.items():
            resolved = self.resolved[name]
            if not modality.frozen:
                encoder = resolved.make()
                encoder.check_trainable()
                self.encoders[name] = encoder
            if modality.standardise:
                self.standardisers[name] = Standardiser()
            if (adapter := resolved.part.adapter_of(resolved.options)) is not None:
                self.adapters[name] = adapter
            widths[name] = resolved.width
        self.widths = widths  # modality -> width of the steps that the fusion reads
        self.fusion = build_fusion(recipe.fusion, widths)
        width = self.fusion.width
        self.heads = nn.ModuleDict()
        self.losses = nn.ModuleDict()
        for task, choice in recipe.tasks.items():
            classes = len(self.label_spaces[task])
            loss = build_loss(task, choice, classes, width)
            self.losses[task] = loss
            if loss.reads_logits:
                self.heads[task] = TaskHead(width, classes, recipe.head)
            elif loss.centered is None:
                raise AffuseError(f"The loss of task {task!r} trains neither a classifier nor centers.")

    @property
    def trained_encoders(self) -> dict[str, Encoder]:
        """Modality -> the encoder that is part of the network; frozen ones are not."""
        return {name: cast("Encoder", encoder) for name, encoder in self.encoders.items()}

    def forward(self, clips: Mapping[str, FeatureSequence]) -> Output:
        """modality -> (batch, time, ...) with mask; a modality that is not named is missing from all clips."""
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
            if name in self.standardisers:
                sequence = self.standardisers[name](sequence)
            if name in self.adapters:
                sequence = self.adapters[name](sequence)
            sequences[name] = sequence
        return sequences

    def fuse(self, sequences: Mapping[str, FeatureSequence]) -> Output:
        """From what ``encode`` gave to the answer: cheap where encoders are trained, so subsets share ``encode``."""
        opinions = self.fusion.opinions(sequences)
        logits = {task: opinions.logits(partial(self._logits, task)) for task in self.label_spaces}
        return Output(logits, opinions.embedding(), opinions.features)

    def _logits(self, task: str, embedding: Tensor) -> Tensor:
        if task in self.heads:
            return self.heads[task](embedding)
        # Nothing trains a classifier: the nearest center decides. Minus half the squared distance is the log
        # density of a unit Gaussian at each center, so softmax gives the posterior of that mixture.
        return -0.5 * self.losses[task].centered.squared_distances(embedding)  # type: ignore[union-attr]

    def task_losses(self, output: Output, labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Unweighted scalar loss of each task that has a label in the batch; labels (batch,), below 0: blank."""
        return {
            task: self.losses[task](output.logits[task], output.embedding, labels[task])
            for task in self.label_spaces
            if bool((labels[task] >= 0).any())
        }

    def predict(self, clip: str | Path | tuple[Any, int], **settings: Unpack[SettingsArguments]) -> Timeline:
        """Tell emotion (and the model's other tasks) over time, in one clip of any length.

        Args:
            clip: An audio or video file, or sound in memory as ``(samples, rate)``: a NumPy array or PyTorch tensor of
                shape ``(n,)``, ``(channels, n)`` or ``(n, channels)``, floats from -1 to 1 or integer PCM, and its
                sampling rate in Hz.
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

        source = Path(clip) if isinstance(clip, str | Path) else Samples.of(clip)
        return Predictor(self, with_words(Settings.of(settings), source)).predict(source)

    def predict_many(
        self,
        clips: Iterable[Any],
        *,
        out: str | Path | None = None,
        formats: Sequence[str] | None = None,
        plot: bool = False,
        overwrite: bool = False,
        jobs: int | None = 1,
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
            self, clips, out=out, formats=formats, plot=plot, overwrite=overwrite, jobs=jobs, **settings
        )

    def trainable_parameters(self) -> int:
        """Parameters that training can change, centers left out (they belong to a loss)."""
        return sum(
            p.numel() for n, p in self.named_parameters() if p.requires_grad and not n.startswith("losses.")
        )


def build(
    recipe: Recipe | str,
    label_spaces: Mapping[str, list[str]] | None = None,
) -> Model:
    """The untrained network of a recipe (object, packaged name or YAML file).

    ``label_spaces`` may be left out where the recipe names its tasks' classes; the papers' four emotions and
    the two genders stand in otherwise.
    """
    recipe = Recipe.load(recipe) if isinstance(recipe, str) else recipe
    usual = {"emotion": ["anger", "happiness", "sadness", "neutral"], "gender": ["female", "male"]}
    spaces: dict[str, list[str]] = {}
    for task, choice in recipe.tasks.items():
        known = (label_spaces or {}).get(task) or choice.classes or usual.get(task)
        if known is None:
            raise AffuseError(f"The recipe does not name the classes of task {task!r}; pass label_spaces.")
        spaces[task] = list(known)
    return Model(recipe, spaces)
