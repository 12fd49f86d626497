"""Models that others made, as members of a joined one: what a source is, what it tells, what its labels mean here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from affuse.corpora.corpus import Utterance
from affuse.corpora.vocabulary import canonical, folded, means_none
from affuse.encoders.base import Encoder
from affuse.encoders.classifiers.checkpoint import encoder_of, read_checkpoint
from affuse.encoders.classifiers.image import side_of
from affuse.encoders.hub_access import ask_hub
from affuse.encoders.pretrained import PACKAGE, check_hub_cache
from affuse.encoders.sources import find_files, local_path
from affuse.errors import AffuseError, argument
from affuse.files.yaml_text import read_yaml_file
from affuse.models.exported_encoder import read_exported
from affuse.models.finding import STARTERS, starters
from affuse.models.hub import explained, looks_like_id
from affuse.models.index import IN_RUN, INDEX, LABELS, RECIPE, read_json
from affuse.models.joining import Member
from affuse.models.loading import inside
from affuse.models.parts import resolve_encoders
from affuse.names import tidy
from affuse.parts.registry import get
from affuse.recipe import Recipe
from affuse.sequence import pad

Labels = Mapping[str, "str | None"]
_TASKS = ("emotion", "gender")
_NAMES = ("audio", "text", "video")


@dataclass(frozen=True)
class Source:
    """A model that was named for adoption.

    Attributes:
        name: As it was named.
        kind: What it reads: audio, text or video.
        encoder: The encoder that it becomes.
        options: That encoder's.
        spaces: Task -> its labels, in the order of the scores; of a public checkpoint the one task "".
        degrees: Whether its outputs are degrees (arousal, valence), which tell no classes.
    """

    name: str
    kind: str
    encoder: str
    options: Mapping[str, Any]
    spaces: Mapping[str, Sequence[str]]
    degrees: bool = False

    def check(self) -> None:
        """Let it answer once. Raises AffuseError where it cannot: its head was never trained, say."""
        part: type[Encoder[Any]] = get("encoders", self.encoder)
        encoder = part(part.Options(**self.options)).eval()
        if not self.encoder.endswith("_classifier"):  # affuse has written it
            return
        try:
            with torch.inference_mode():
                scores = encoder(pad([_something(encoder)])).values
        except (ValueError, RuntimeError, IndexError, TypeError) as error:
            reason = " ".join(str(error).split())[:150]
            raise AffuseError(
                f"{self.name} gives no answer ({reason}): its files do not fit each other; download it again, or name "
                "another model."
            ) from None
        if not scores.isfinite().all():
            raise AffuseError(
                f"{self.name} answers with no numbers: its weights are damaged; download it again."
            )

    @property
    def title(self) -> str:
        """Its name without the folders of this machine."""
        path = Path(self.name).expanduser()
        return path.resolve().name if path.exists() else self.name

    @property
    def labels(self) -> list[str]:
        """All its labels."""
        return [label for space in self.spaces.values() for label in space]


def _something(encoder: Encoder[Any]) -> Tensor:
    """What an encoder reads: a word, a second of noise, a picture of noise."""
    if encoder.kind == "text":
        word = encoder.read(Utterance("word", text="word"))
        assert word is not None
        return word
    random = torch.Generator().manual_seed(0)
    if encoder.kind == "audio":
        return 0.1 * torch.randn(encoder.rate, generator=random)  # type: ignore[arg-type]
    shape = encoder.reading_of(encoder.options).shape
    return torch.randint(256, (1, *shape), generator=random, dtype=torch.uint8)


def find_source(name: str) -> Source:
    """What a named model is: an ONNX file, a folder of affuse's, or a checkpoint of transformers.

    Args:
        name: A path, a starter's name, package:NAME/FOLDER, or a Hub id with @revision or without.

    Raises:
        AffuseError: There is nothing of that name, or it is no classifier of one modality.
    """
    if not name.strip():
        raise AffuseError("The name of a model is blank; give a Hub id, a folder or an ONNX file.")
    path = Path(name).expanduser()
    if path.suffix == ".onnx":
        about = read_exported(name)
        return Source(name, about.kind, f"{about.kind}_onnx", {"model": str(path)}, about.labels)
    for folder in (path, path / IN_RUN, STARTERS / name if name in starters() else path):
        if (folder / INDEX).is_file():
            return _own(name, folder)
    model, revision = _named(name)
    about = read_checkpoint(model, revision)
    options: dict[str, Any] = {"model": model} | ({"revision": revision} if revision else {})
    if about.kind == "video" and (side := side_of(model, revision)) is not None:
        options["size"] = side
    return Source(
        name, about.kind, encoder_of(about.kind), options, {"": about.labels}, about.scale == "degrees"
    )


def find_sources(names: Sequence[str]) -> list[Source]:
    """Every named model; AffuseError where two read the same."""
    found: dict[str, Source] = {}
    for name in names:
        source = find_source(name)
        if (other := found.setdefault(source.kind, source)) is not source:
            raise AffuseError(
                f"Two models read {source.kind}: {other.name} and {name}; adopt one for each modality, and compare the "
                f"others with it by {argument('over', {'model': [other.name, name]})} of 'affuse compare'."
            )
    return list(found.values())


def check_outside(out: Path, sources: Sequence[Source]) -> None:
    """AffuseError where a new folder would lie inside one of the models: that one would not be the same any more."""
    for source in sources:
        named = source.options["model"]
        folder = None if str(named).startswith(PACKAGE) else local_path(named)
        if folder is not None and folder.is_dir() and out.resolve().is_relative_to(folder.resolve()):
            raise AffuseError(f"{out} lies inside the model {source.name}; name a folder outside of it.")


def read_labels(
    given: str | Path | Mapping[str, Any] | None, sources: Sequence[Source]
) -> dict[str, dict[str, str | None]]:
    """Modality -> label -> class, None for a label that counts for none.

    Args:
        given: A YAML file or a mapping: label to class, or modality to such a mapping.
        sources: Whose labels they are.

    Raises:
        AffuseError: It is no such mapping, names a label that no model has, or one label twice.
    """
    if given is None:
        return {source.kind: {} for source in sources}
    where = argument("labels") if isinstance(given, Mapping) else str(given)
    read = dict(given) if isinstance(given, Mapping) else read_yaml_file(given, ["*"])
    if not isinstance(read, Mapping) or not read:
        raise AffuseError(f"{where} is no mapping; write a line for each label, such as 'LABEL_0: anger'.")
    by_kind = set(read) <= set(_NAMES) and all(isinstance(one, Mapping) for one in read.values())
    found: dict[str, dict[str, str | None]] = {}
    used: set[str] = set()
    for source in sources:
        own = read.get(source.kind, {}) if by_kind else read
        known: dict[str, str | None] = {}
        for label, meant in own.items():
            if meant is not None and not (isinstance(meant, str) and tidy(meant)):
                raise AffuseError(f"{where}: {label} is to be a class or null, not {meant!r}.")
            told = None if meant is None else tidy(meant)
            exact = [one for one in source.labels if one == label]
            for one in exact or [one for one in source.labels if folded(one) == folded(str(label))]:
                if known.setdefault(one, told) != told:
                    raise AffuseError(
                        f"{where} names the label {one} of {source.name} twice; keep one line of it."
                    )
                used.add(str(label))
        found[source.kind] = known
    every = [str(label) for one in (read.values() if by_kind else [read]) for label in one]
    if strangers := [label for label in every if label not in used]:
        theirs = "; ".join(f"{source.name}: {', '.join(source.labels)}" for source in sources)
        raise AffuseError(f"{where} names {', '.join(strangers)}, which no model has ({theirs}); correct it.")
    return found


def member_of(source: Source, given: Labels) -> tuple[Member, list[str]]:
    """A source as a member whose labels have canonical names, and what is to be said of that.

    Args:
        source: Which tells classes.
        given: Label -> class, of those that the vocabulary is not asked for.

    Raises:
        AffuseError: Labels that the vocabulary does not know, and that are not among ``given``.
    """
    classes: dict[str, dict[int, str]] = {}
    meant: dict[str, str] = {}
    nothing: list[str] = []
    unknown: list[str] = []
    place = 0
    for named_task, labels in source.spaces.items():
        task = named_task or _task_of(labels, given)
        for label in labels:
            name = _meaning(label, task, given)
            if name is None and label not in given and not means_none(label):
                if named_task:  # of affuse's own model: trained on these names, whatever they mean
                    name = label
                else:
                    unknown.append(label)
            if name is None:
                nothing.append(label)
            else:
                classes.setdefault(task, {})[place] = name
                if name != label:
                    meant[label] = name
            place += 1
    if unknown:
        raise AffuseError(
            f"The vocabulary does not know {', '.join(unknown)} among the labels of {source.name}; say what each "
            f"means (anger, say, or null for none of the classes) in a file with lines such as '{unknown[0]}: null', "
            f"and name it with {argument('labels', 'map.yaml')}."
        )
    if not classes:
        raise AffuseError(
            f"Every label of {source.name} counts for none of the classes ({', '.join(source.labels)}); say what two "
            f"of them mean, or more, in the file that {argument('labels', 'map.yaml')} names."
        )
    said: list[str] = []
    if meant:
        pairs = ", ".join(f"{label} is {name}" for label, name in meant.items())
        said.append(f"Of the labels of {source.title}: {pairs}.")
    if nothing:
        said.append(f"Labels of {source.title} that count for no class: {', '.join(nothing)}.")
    member = Member(source.kind, source.encoder, source.options, classes, source.labels)
    if source.encoder.endswith("_onnx"):
        return replace(member, defaults=read_exported(str(source.options["model"])).defaults), said
    if source.encoder.endswith("_model"):
        own = Member.of_folder(Path(str(source.options["model"])), source.kind, {})
        return replace(member, defaults=own.defaults), said
    return member, said


def _task_of(labels: Sequence[str], given: Labels) -> str:
    """Gender where every label is one, else emotion."""
    known = [label for label in labels if not means_none(label) and given.get(label, "") is not None]
    genders = [canonical(given.get(label) or label, "gender") for label in known]
    return "gender" if genders and None not in genders else "emotion"


def _meaning(label: str, task: str, given: Labels) -> str | None:
    """The canonical name of a label, or of what it was said to mean; None where there is none."""
    if label in given:
        named = given[label]
        return None if named is None else canonical(named, task) or named
    return canonical(label, task) if task in _TASKS else label


def _own(name: str, folder: Path) -> Source:
    """A model folder of affuse's, which must read one modality."""
    recipe = inside(Recipe.load(folder / RECIPE), folder)
    kinds = {one.kind for one in resolve_encoders(recipe).values()}
    if len(kinds) != 1 or not kinds <= {"audio", "text"} or len(recipe.modalities) != 1:
        raise AffuseError(
            f"{name} is an affuse model that reads {' and '.join(recipe.modalities)}; one that reads sound alone or "
            "words alone can be adopted, and this one needs no adoption: use it as it is."
        )
    (kind,) = kinds
    return Source(name, kind, f"{kind}_model", {"model": str(folder)}, read_json(folder / LABELS))


def _named(name: str) -> tuple[str, str | None]:
    """(model, revision) of a checkpoint that is here or on the Hub."""
    path = Path(name).expanduser()
    if name.startswith(PACKAGE) or (path / "config.json").is_file():
        return name, None
    if path.is_file():
        raise AffuseError(f"{name} is a file, and a model is a folder; name its folder: {path.parent}.")
    if path.is_dir():
        raise AffuseError(
            f"{name} holds neither config.json (a transformers checkpoint) nor {INDEX} (an affuse model); name a "
            "folder with one of them."
        )
    model, _, revision = name.partition("@")
    if not looks_like_id(model) and find_files(model, revision or None) is None:
        close = get_close_matches(name, starters(), n=1)
        meant = f" (did you mean '{close[0]}'?)" if close else ""
        raise AffuseError(
            f"There is no folder {name}{meant}, and it is no Hub id; write owner/name, or correct the path."
        )
    _reach(name, model, revision or None)
    return model, revision or None


def _reach(name: str, model: str, revision: str | None) -> None:
    """Get the config of a Hub's model to this machine. Raises AffuseError where it cannot be reached."""
    if find_files(model, revision) is not None:
        return
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import RemoteEntryNotFoundError

    check_hub_cache()
    offline = "; the model 'starter' needs no download: affuse predict starter CLIP"
    with explained(name, offline):
        try:
            ask_hub(model, revision=revision)
            hf_hub_download(model, "config.json", revision=revision)
        except RemoteEntryNotFoundError:
            raise AffuseError(
                f"{name} on the Hub is no transformers checkpoint: it has no config.json; an affuse model is fetched "
                "by 'affuse pull'."
            ) from None
        with suppress(RemoteEntryNotFoundError):  # its card says its licence
            hf_hub_download(model, "README.md", revision=revision)
