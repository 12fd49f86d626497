"""Classifiers of one modality each, joined to a model that reads all of them: late fusion of what is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from affuse.encoders.sources import local_path
from affuse.errors import AffuseError
from affuse.models.building import build
from affuse.models.defaults import PredictionDefaults, Seen, TrainedOn
from affuse.models.index import PREDICTION, read_index, read_json
from affuse.models.network import Model
from affuse.models.trained_encoder import AudioModel, TextModel, TrainedOptions
from affuse.names import listed
from affuse.recipe import Recipe

_ENCODERS = {AudioModel.kind: ("audio_model", AudioModel), TextModel.kind: ("text_model", TextModel)}


@dataclass(frozen=True)
class Member:
    """A whole classifier, as an encoder whose step is its scores.

    Attributes:
        modality: What the joined model calls it: audio, text, video.
        encoder: A registered encoder.
        options: Its options.
        classes: Task -> place of a score -> the class that it counts for; several scores may count for one class.
        labels: What the classifier itself calls its scores, in their order; a joined model's recipe keeps them.
        defaults: What it knows of its own training.
    """

    modality: str
    encoder: str
    options: Mapping[str, Any]
    classes: Mapping[str, Mapping[int, str]]
    labels: Sequence[str] = ()
    defaults: PredictionDefaults = field(default_factory=PredictionDefaults)

    @classmethod
    def of_folder(cls, folder: Path, kind: str, classes: Mapping[str, Mapping[str, str | None]]) -> Member:
        """A trained affuse model of one modality.

        Args:
            folder: Its model folder.
            kind: "audio" or "text", which is what the joined model calls the modality.
            classes: Task -> its own label -> the class in the joined model, None for a label that counts for none. A
                task or label that is not named keeps its name.

        Raises:
            AffuseError: It reads something else.
        """
        encoder, part = _ENCODERS[kind]
        options = {"model": str(folder)}
        places: dict[str, dict[int, str]] = {}
        own: list[str] = []
        for task, labels in part.spaces(TrainedOptions(**options)).items():
            places[task] = {}
            for label in labels:
                name = classes.get(task, {}).get(label, label)
                if name is not None:
                    places[task][len(own)] = name
                own.append(label)
        known = PREDICTION in read_index(folder)
        defaults = PredictionDefaults.model_validate(read_json(folder / PREDICTION)) if known else None
        return cls(kind, encoder, options, places, own, defaults or PredictionDefaults())


def join(
    members: Sequence[Member],
    *,
    name: str,
    description: str = "",
    weights: Mapping[str, float] | None = None,
    classes: Mapping[str, Sequence[str]] | None = None,
) -> Model:
    """Make one model of classifiers of different modalities: the weighted mean of their probabilities.

    Nothing is trained. A clip that lacks a modality is answered by the others (``fusion.opinion_pool``). What a member
    knows of its training (lengths of clips, seen utterances) comes along; its temperature is in its scores already.

    Args:
        members: One for each modality.
        name: Of the joined model.
        description: What it is, in a sentence or two.
        weights: Modality -> its weight, above 0; 1 where it is left out.
        classes: Task -> its classes, in order; a task that is left out has the classes that every member of it tells.

    Raises:
        AffuseError: Two members of one modality, a class that a member does not tell, or fewer than two classes left.
    """
    seen: dict[str, Member] = {}
    for member in members:
        if (other := seen.setdefault(member.modality, member)) is not member:
            raise AffuseError(
                f"Two models read {member.modality}: {_source(other)} and {_source(member)}; join one of each."
            )
    spaces = _spaces(members, classes or {})
    scores = {
        member.modality: {
            task: [[place for place, one in known.items() if one == label] for label in spaces[task]]
            for task, known in member.classes.items()
            if task in spaces
        }
        for member in members
    }
    pool: dict[str, Any] = {"scores": scores}
    if labels := {member.modality: list(member.labels) for member in members if member.labels}:
        pool["labels"] = labels
    if weights:
        pool["weights"] = {one: float(weight) for one, weight in weights.items()}
    recipe = Recipe.parse({
        "name": name,
        "description": description,
        "tasks": {task: {"classes": space} for task, space in spaces.items()},
        "modalities": {
            member.modality: {"encoder": member.encoder, "options": dict(member.options), "standardise": False}
            for member in members
        },
        "fusion": {"name": "opinion_pool", "options": pool},
        "head": {"dropout": 0.0, "hidden": None},
    })  # fmt: skip
    model = build(recipe, spaces)
    for task, place in model.fusion.tasks.items():  # type: ignore[union-attr]
        head: Any = model.heads[task][-1]  # type: ignore[index]
        with torch.no_grad():
            head.bias.zero_()
            head.weight.zero_()
            head.weight[:, place] = torch.eye(len(spaces[task]))
    model.defaults = _defaults(members, spaces)
    return model.eval()


def _spaces(members: Sequence[Member], chosen: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    spaces: dict[str, list[str]] = {}
    for task in dict.fromkeys(task for member in members for task in member.classes):
        told = {
            _source(member): list(dict.fromkeys(member.classes[task].values()))
            for member in members
            if task in member.classes
        }
        first = next(iter(told.values()))
        spaces[task] = list(
            chosen.get(task) or [one for one in first if all(one in own for own in told.values())]
        )
        for source, own in told.items():
            if lacking := [one for one in spaces[task] if one not in own]:
                raise AffuseError(
                    f"{source} does not tell {listed(lacking)} ({task}); its classes are {', '.join(own)}."
                )
        if len(told) == 1 and len(first) < 2:
            ((source, own),) = told.items()
            raise AffuseError(
                f"Every label of {source} that counts for a class of {task} means {own[0]}; two classes are needed: "
                "map its labels to two names or more."
            )
        if len(spaces[task]) < 2:
            lists = "; ".join(f"{source}: {', '.join(own)}" for source, own in told.items())
            raise AffuseError(
                f"The models have fewer than two classes of {task} in common ({lists}); map their labels to the same "
                "names."
            )
    for task in chosen:
        if task not in spaces:
            raise AffuseError(f"No model answers the task {task!r}; they answer {', '.join(spaces)}.")
    return spaces


def _defaults(members: Sequence[Member], spaces: Mapping[str, Sequence[str]]) -> PredictionDefaults:
    """What the members know of their trainings, put together."""
    lengths = [member.defaults.clip_seconds for member in members if member.defaults.clip_seconds is not None]
    confidence = {}
    for task in spaces:
        known = [member.defaults.of_task(task) for member in members if task in member.classes]
        # the one that rests on least stands for all: nobody knows what they are worth together
        least = min(known, key=lambda one: (one.cause == "" and one.utterances > 0, one.evidence or 0.0))
        threshold = max(one.unsure_below for one in known)
        confidence[task] = least.model_copy(update={"temperature": 1.0, "unsure_below": threshold})
    return PredictionDefaults(
        clip_seconds=lengths[0] if lengths else None,
        confidence=confidence,
        seen=together([member.defaults.seen for member in members]),
        trained_on=list(dict.fromkeys(one for member in members for one in _trained_on(member))),
    )


def _trained_on(member: Member) -> list[TrainedOn]:
    """What a member was trained on; that it does not say so is said, lest the others' corpora speak for it."""
    if member.defaults.trained_on:
        return member.defaults.trained_on
    named = local_path(source := _source(member))
    return [TrainedOn(title=f"of {source if named is None else named.name}", licence="not known to affuse")]


def together(some: Sequence[Seen | None]) -> Seen | None:
    """What several have seen, as what one has; None where none of them knows."""
    known = [one for one in some if one is not None]
    if not known:
        return None
    utterances: dict[str, list[str]] = {}
    for one in known:
        for role, digests in one.utterances.items():
            utterances.setdefault(role, []).extend(digests)
    speakers = list(dict.fromkeys(speaker for one in known for speaker in one.speakers))
    return Seen(corpus=" and ".join(one.corpus for one in known), utterances=utterances, speakers=speakers)


def _source(member: Member) -> str:
    return str(member.options.get("model", member.encoder))
