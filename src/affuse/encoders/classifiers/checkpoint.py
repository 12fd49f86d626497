"""A public checkpoint that classifies: its labels, its head, and one sentence for whatever is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from affuse.encoders.base import EncoderOptions
from affuse.encoders.classifiers.weights import weight_files, weight_names
from affuse.encoders.pretrained import load, locate
from affuse.encoders.sources import digests, find_files
from affuse.errors import AffuseError
from affuse.files.yaml_text import read_yaml
from affuse.names import listed

Kind = Literal["audio", "text", "video"]
Scale = Literal["softmax", "sigmoid", "degrees"]
_UNUSED = ("masked_spec_embed", "position_ids")  # of no use to an answer; some checkpoints lack them
_CARDS = ("README.md", "LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE")
_SHOWN = 3


class ClassifierOptions(EncoderOptions):
    """Options of ``audio_classifier`` and ``text_classifier``."""

    model: str = Field(description="Hub id, folder, or package:NAME/FOLDER of a checkpoint that classifies")
    revision: str | None = Field(default=None, description="commit or tag of the Hub model")
    readout: list[list[float]] | None = Field(
        default=None,
        description="of a head whose outputs are degrees (arousal, valence): for every class its weight for each "
        "output, then its constant; 'affuse adopt --fit' finds them",
    )


class Checkpoint(NamedTuple):
    """What a checkpoint says of itself, before any weight is loaded.

    Attributes:
        kind: What it reads: audio, text or video (pictures).
        labels: Of its head's outputs, in order, as it writes them.
        scale: What the outputs are: logits of classes of which one is right (softmax), of each class for itself
            (sigmoid), or degrees, which are no classes.
        layers: Of a head that transformers has no class for: (name in the weights, activation).
    """

    kind: Kind
    labels: tuple[str, ...]
    scale: Scale
    layers: tuple[tuple[str, str], ...] = ()


def width_of(options: Any) -> int:
    """How many scores the classifier gives, before any weight is loaded."""
    if options.readout is not None:
        return len(options.readout)
    return len(read_checkpoint(options.model, options.revision).labels)


def read_checkpoint(model: str, revision: str | None = None) -> Checkpoint:
    """Read a checkpoint's config and the names of its weights.

    Args:
        model: Hub id, folder, or package:NAME/FOLDER.
        revision: Commit or tag of the Hub model.

    Raises:
        AffuseError: It cannot be had, is no classifier, or its weights are a pickle.
    """
    source = locate(model)
    folder = Path(source)
    changed = (folder / "config.json").stat().st_mtime_ns if folder.is_dir() else 0
    return _read(model, revision, changed)


@lru_cache(maxsize=64)
def _read(model: str, revision: str | None, changed: int) -> Checkpoint:
    from transformers import AutoConfig
    from transformers.models.auto import modeling_auto as known

    config = load(AutoConfig, model, revision)
    names = weight_names(model, revision)
    families: list[tuple[Kind, Any]] = [
        ("audio", known.MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES),
        ("text", known.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES),
        ("video", known.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES),
    ]
    kind: Kind | None = next((one for one, family in families if config.model_type in family), None)
    if kind is None:
        raise AffuseError(
            f"{model} is of the type {config.model_type}, which transformers has no audio, text or image classifier "
            "for; name a model that was made for classification."
        )
    places = sorted(config.id2label)
    if places != list(range(len(places))):
        raise AffuseError(
            f"The config.json of {model} numbers its {len(places)} labels {', '.join(map(str, places[:8]))}, not 0 to "
            f"{len(places) - 1}: which score is whose cannot be told; correct id2label in a copy of it."
        )
    labels = tuple(str(config.id2label[place]) for place in places)
    table = _table()
    layers: tuple[tuple[str, str], ...] = ()
    for head in table["heads"] if kind == "audio" else ():
        weights = [f"{layer}.{part}" for layer, _ in head["layers"] for part in ("weight", "bias")]
        if config.model_type in head["bodies"] and names.issuperset(weights):
            if (pooling := getattr(config, "pooling_mode", "mean")) != "mean":
                raise AffuseError(
                    f"{model} takes the {pooling} of its hidden states over time, and affuse knows such heads with the "
                    "mean alone; name another model."
                )
            layers = tuple((str(layer), str(activation)) for layer, activation in head["layers"])
            break
    degrees = {one.casefold() for one in labels} <= set(table["dimensions"])
    problem = config.problem_type
    scale: Scale = "sigmoid" if problem == "multi_label_classification" else "softmax"
    if problem == "regression" or degrees or len(labels) == 1:
        scale = "degrees"
    return Checkpoint(kind, labels, scale, layers)


class Scores(nn.Module):
    """A checkpoint's network with its head: what transformers' own class takes -> (batch, scores).

    The scores are logits: of classes of which one is right those of the network; of classes each for itself
    ln sigmoid of them, so that a softmax gives each its share of the sum of their probabilities; of degrees the
    products with ``readout``, or without one the degrees themselves.

    Args:
        options: ``ClassifierOptions``.
        kind: What the encoder reads; the checkpoint must read it too.

    Raises:
        AffuseError: The checkpoint cannot be had, or holds no trained classifier of this kind.
    """

    def __init__(self, options: Any, kind: Kind) -> None:
        super().__init__()
        about = read_checkpoint(options.model, options.revision)
        if about.kind != kind:
            raise AffuseError(
                f"{options.model} reads {about.kind}, not {kind}; take the encoder {encoder_of(about.kind)}."
            )
        self.scale = about.scale
        make = _pooled if about.layers else _whole
        self.network: Any = make(options.model, options.revision, about).float().eval()
        self.readout: Tensor | None
        self.register_buffer("readout", None, persistent=False)
        if options.readout is not None:
            self.readout = _checked_readout(options.readout, about, options.model)

    def forward(self, **inputs: Tensor) -> Tensor:
        """(batch, scores)."""
        output = self.network(**inputs)
        return self.of_logits(output if isinstance(output, Tensor) else output.logits)

    def of_logits(self, logits: Tensor) -> Tensor:
        """(batch, outputs) of the network's head -> (batch, scores)."""
        if self.scale == "sigmoid":
            return nn.functional.logsigmoid(logits)
        if self.readout is not None:
            return logits @ self.readout[:, :-1].T + self.readout[:, -1]
        return logits


class PooledHead(nn.Module):
    """The mean of hidden states over time, then linear layers with their activations."""

    def __init__(self, state: Mapping[str, Tensor], layers: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for name, activation in layers:
            weight = state[f"{name}.weight"]
            linear = nn.Linear(weight.shape[1], weight.shape[0])
            linear.load_state_dict({"weight": weight, "bias": state[f"{name}.bias"]})
            parts += [linear, *([] if activation == "none" else [nn.Tanh()])]
        self.layers = nn.Sequential(*parts)

    def forward(self, mean: Tensor) -> Tensor:
        """(batch, width) -> (batch, outputs)."""
        return self.layers(mean)


class PooledNetwork(nn.Module):
    """A network of the wav2vec 2.0 family under such a head; a batch of one length."""

    def __init__(self, body: Any, head: PooledHead) -> None:
        super().__init__()
        self.body, self.head = body, head

    def forward(self, **inputs: Tensor) -> Tensor:
        """(batch, outputs)."""
        return self.head(self.body(**inputs).last_hidden_state.mean(dim=1))


def encoder_of(kind: str) -> str:
    """The encoder for checkpoints that read this."""
    return {"audio": "audio_classifier", "text": "text_classifier", "video": "image_classifier"}[kind]


def copy_files(options: Any, folder: Path) -> dict[str, str | None]:
    """Copy the checkpoint's own files, as they are, with its card and licence; gives the options that name them."""
    import shutil

    source = find_files(options.model, options.revision)
    if source is None:  # the network was loaded from somewhere
        raise AffuseError(f"The files of {options.model} are not on this machine any more; load it again.")
    folder.mkdir(parents=True, exist_ok=True)
    for name in [*digests(source), *_CARDS]:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    return {"model": ".", "revision": None}


def _whole(model: str, revision: str | None, about: Checkpoint) -> nn.Module:
    import transformers

    auto = {
        "audio": transformers.AutoModelForAudioClassification,
        "text": transformers.AutoModelForSequenceClassification,
        "video": transformers.AutoModelForImageClassification,
    }[about.kind]
    network, found = _loaded(auto, model, revision)
    missing = [name for name in found["missing_keys"] if not name.endswith(_UNUSED)]
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        is_a = next(iter(network.config.architectures or []), network.config.model_type)
        raise AffuseError(
            f"{model} ({is_a}) holds no trained classifier that transformers or affuse knows: it lacks "
            f"{', '.join(missing[:_SHOWN])}{more}; name a model that was trained to classify."
        )
    _same_length(model, about, found["mismatched_keys"])
    return network


def _pooled(model: str, revision: str | None, about: Checkpoint) -> nn.Module:
    from safetensors.torch import load_file
    from transformers import AutoModel

    body, found = _loaded(AutoModel, model, revision)
    if missing := [name for name in found["missing_keys"] if not name.endswith(_UNUSED)]:
        raise AffuseError(f"{model} lacks weights of its network ({missing[0]}); download it again.")
    state: dict[str, Tensor] = {}
    for path in weight_files(model, revision):
        state |= {name: tensor for name, tensor in load_file(path).items() if name.startswith("classifier.")}
    outputs = len(state[f"{about.layers[-1][0]}.weight"])
    if outputs != len(about.labels):
        raise _other_length(model, about, outputs)
    return PooledNetwork(body, PooledHead(state, about.layers))


def _loaded(auto: Any, model: str, revision: str | None) -> tuple[Any, Any]:
    return load(
        auto, model, revision, dtype=torch.float32, use_safetensors=True, output_loading_info=True,
        ignore_mismatched_sizes=True,
    )  # fmt: skip


def _same_length(model: str, about: Checkpoint, mismatched: Any) -> None:
    for name, found, _ in mismatched:
        raise (
            _other_length(model, about, found[0])
            if found[0] != len(about.labels)
            else AffuseError(
                f"{model}: the shape of {name} is not that of its config.json; download it again."
            )
        )


def _other_length(model: str, about: Checkpoint, outputs: int) -> AffuseError:
    return AffuseError(
        f"The head of {model} gives {outputs} scores, and its config.json names {len(about.labels)} labels "
        f"({', '.join(about.labels[:8])}{', ...' if len(about.labels) > 8 else ''}); correct id2label in a copy of it."
    )


def _checked_readout(readout: Sequence[Sequence[float]], about: Checkpoint, model: str) -> Tensor:
    outputs = len(about.labels)
    if about.scale != "degrees":
        raise AffuseError(f"{model} tells classes ({listed(about.labels)}); leave the option readout out.")
    if len(readout) < 2 or any(len(row) != outputs + 1 for row in readout):
        raise AffuseError(
            f"The option readout has {outputs + 1} numbers for each of two classes or more, for {model} has the "
            f"outputs {listed(about.labels)}; correct it."
        )
    return torch.tensor(readout, dtype=torch.float32)


@lru_cache(maxsize=1)
def _table() -> Any:
    text = files("affuse.encoders.classifiers").joinpath("heads.yaml").read_text(encoding="utf-8")
    return read_yaml(text, "heads.yaml", ["heads.*.layers", "dimensions"])
