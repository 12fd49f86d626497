"""The model card: README.md of a model folder, with the Hub's metadata, written from the model and a run's facts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import affuse
from affuse.corpora.schema import CorpusInfo
from affuse.evaluation.measures import SHOWN
from affuse.evaluation.soft import SOFT_METRICS
from affuse.models.card_facts import CardFacts, RatingResult, TaskResult
from affuse.models.defaults import TrainedOn
from affuse.models.licences import licences_of_model
from affuse.models.licences import verdict as licence_verdict
from affuse.models.network import Model
from affuse.models.sources import hub_id_of, source_of
from affuse.recipe import Recipe, loss_name, packaged_recipes

METRICS = {"acc": "ACC (WA)", "bacc": "BACC (UA)"}


def card_text(model: Model, facts: CardFacts) -> str:
    """The text of README.md; ``model`` has its prediction defaults."""
    return "\n".join(
        [
            _front_matter(model, facts),
            *_introduction(model),
            *_data(model.recipe, facts),
            *_results(facts),
            *_confidence(model),
            *_limits(facts),
            *_licences(model, facts.corpus),
        ]
    )


def _front_matter(model: Model, facts: CardFacts) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    info = facts.corpus
    kinds = {encoder.kind for encoder in model.resolved.values()}
    bases = sorted({found for part in model.recipe.modalities.values() if (found := hub_id_of(part))})
    slug = re.sub(r"[^a-z0-9]+", "-", info.title.lower()).strip("-") or "corpus"
    results = [
        EvalResult(
            task_type="audio-classification" if "audio" in kinds else "other",
            task_name=f"{' and '.join(facts.results)} recognition",
            dataset_type=slug,
            dataset_name=info.title,
            dataset_split="test",
            metric_type="accuracy" if metric == "acc" else "recall",
            metric_name=f"{task} {METRICS[metric]}",  # results of one data set share their task name
            metric_value=round(interval.value, 4),
        )
        for task, result in facts.results.items()
        for metric, interval in result.intervals.items()
    ]
    results += [
        EvalResult(
            task_type="other", task_name=f"{task} estimation", dataset_type=slug, dataset_name=info.title,
            dataset_split="test", metric_type="ccc", metric_name=f"{task} CCC", metric_value=round(ccc, 4),
        )
        for task, result in facts.ratings.items()
        if (ccc := result.intervals["ccc"].value) == ccc
    ]  # fmt: skip
    results += [
        EvalResult(
            task_type="other", task_name=f"{task} recognition", dataset_type=slug, dataset_name=info.title,
            dataset_split="test", metric_type="f1", metric_name=f"{task} {name}", metric_value=round(one.value, 4),
        )
        for task, result in facts.sets.items()
        for name, one in result.intervals.items()
    ]  # fmt: skip
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
    inputs = [
        f"{name} ({part.encoder}{f' {source}' if (source := source_of(part)) else ''}, "
        f"{'frozen' if part.frozen else 'trained'})"
        for name, part in recipe.modalities.items()
    ]
    tasks = [f"- **{task}**: {', '.join(space)}; loss {loss_name(recipe.tasks[task].loss)}"
             for task, space in model.label_spaces.items()]  # fmt: skip
    tasks += [f"- **{task}**: a number from {low:g} to {high:g}; loss {loss_name(recipe.tasks[task].loss)}"
              for task, (low, high) in model.dimensions.items()]  # fmt: skip
    tasks += [f"- **{task}**: any of {', '.join(labels)}; loss {loss_name(recipe.tasks[task].loss)}"
              for task, labels in model.label_sets.items()]  # fmt: skip
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
        *own_words(recipe),
        "```python",
        "import affuse",
        "",
        'model = affuse.load("path or owner/name")',
        "```",
        "",
    ]


_ASIDE = {"name", "description", "seed"}  # what a recipe may have of its own


def own_words(recipe: Recipe) -> list[str]:
    """The recipe's description, as long as it is about what was trained; of an own file nobody knows what it was."""
    about = " ".join(recipe.description.split())
    if not about:
        return []
    if recipe.name not in packaged_recipes():
        return [f"> The recipe says of itself, whatever was changed in it since: {about}", ""]
    same = recipe.model_dump(exclude=_ASIDE) == _packaged(recipe.name)
    return [f"> The recipe says of itself: {about}", ""] if same else []


@cache
def _packaged(name: str) -> dict[str, Any]:
    return Recipe.load(name).model_dump(exclude=_ASIDE)


def _missing(model: Model) -> str:
    if len(model.widths) < 2:
        return ""
    rates = {name: part.dropout for name, part in model.recipe.modalities.items() if part.dropout}
    if rates:
        told = ", ".join(f"{name} from {100 * rate:g} %" for name, rate in rates.items())
        return f"Any of its modalities may be missing; training took {told} of the clips."
    return "Any of its modalities may be missing, for which it was not trained (no modality dropout)."


def _data(recipe: Recipe, facts: CardFacts) -> list[str]:
    info = facts.corpus
    parts = [
        f"{role}: {utterances} utterances"
        + (f" of {count} speaker{'s' if count > 1 else ''}" if count else "")
        for role, (utterances, count) in facts.parts.items()
    ]
    generated = ["The corpus is **generated by a program**: no person's voice, words or face is in it."]
    overlap = (
        f"This split is **{facts.stamp}**: speakers of the test part are heard in training."
        if facts.stamp
        else "No speaker of the test part is heard in training."
    )
    chosen = chosen_in_words(recipe, "validation" in facts.parts and facts.parts["validation"][0] > 0)
    return [
        "## Data and protocol",
        "",
        f"Corpus: {info.title}" + (f", language {info.language}" if info.language else "") + ".",
        *(generated if info.generated else []),
        "",
        *[f"- {part}" for part in parts],
        *[f"- {note}" for note in facts.notes],
        "",
        f"Protocol: {recipe.protocol.kind.replace('_', ' ')}, fold {facts.fold} of {facts.folds}, seed {recipe.seed}. "
        f"{overlap} {chosen}",
        "",
    ]


def chosen_in_words(recipe: Recipe, validation: bool) -> str:
    """How the epoch was chosen; what the test part had a hand in is said first."""
    if recipe.on_test:
        return f"**The figures below are better than they should be**: {recipe.on_test}."
    if recipe.training.select == "last":
        told = "; the validation part chose none" if validation else ""
        return f"The last epoch counts, as the recipe has it{told}; the test part was predicted once."
    if validation:
        return "The epoch was chosen on validation; the test part was predicted once."
    return "There is no validation part: the last epoch counts."


def _results(facts: CardFacts) -> list[str]:
    lines = ["## Results on the test part", "", *([f"**{facts.training}**", ""] if facts.training else [])]
    if facts.corpus.generated:
        lines += ["On a generated corpus: they say nothing about people.", ""]
    lines += ["| task | metric | value | 95 % interval over speakers |", "|---|---|---|---|"]
    for task, result in facts.results.items():
        for metric, (value, low, high) in result.intervals.items():
            span = f"{100 * low:.1f} to {100 * high:.1f}" if low == low else "not defined (one speaker)"
            lines.append(f"| {task} | {METRICS[metric]} | {100 * value:.1f} | {span} |")
    for task, result in facts.ratings.items():
        for metric, (value, low, high) in result.intervals.items():
            span = f"{low:.3f} to {high:.3f}" if low == low else "not defined"
            lines.append(f"| {task} | {SHOWN[metric].name} | {value:.3f} | {span} |")
    for task, result in facts.sets.items():
        for name, (value, low, high) in result.intervals.items():
            span = f"{100 * low:.1f} to {100 * high:.1f}" if low == low else "not defined"
            lines.append(f"| {task} | {name} | {100 * value:.1f} | {span} |")
        lines.append(f"| {task} | mAP | {100 * result.mean_precision:.1f} | |")
    for task, found in facts.votes.items():
        lines += [
            f"| {task} | {title} | {getattr(found, name):.3f} | |" for name, title in SOFT_METRICS.items()
        ]
    for note in facts.tested:
        lines += ["", note]
    for task, found in facts.votes.items():
        about = f"{task} learnt the shares of its raters' votes. Of answers that are the votes themselves"
        lines += ["", f"{about}, the soft cross-entropy is {found.entropy:.3f} nats: it cannot be less."]
    for task, result in facts.sets.items():
        told = [f"{label} {100 * f1:.1f}" for label, f1 in result.f1.items() if f1 == f1]
        lines += ["", f"F1 of {task}: {', '.join(told)}."]
    for task, result in facts.results.items():
        told = [f"{label} {100 * recall:.1f}" for label, recall in result.recalls.items() if recall == recall]
        lines += ["", f"Recall of {task}: {', '.join(told)}."]
    return [*lines, "", *_gaps({**facts.results, **facts.ratings})]


def _gaps(results: Mapping[str, TaskResult | RatingResult]) -> list[str]:
    """BACC or CCC by the corpus's annotation of gender, and the difference."""
    lines: list[str] = []
    for task, result in results.items():
        if (gap := result.gap) is None:
            continue
        shown = SHOWN[gap.metric]
        told = [f"{name} {shown.text(value)} (n {n})" for name, (value, n) in gap.groups.items()]
        amount, low, high = (shown.text(one) for one in gap.interval)
        span = f" (95 % interval {low} to {high})" if gap.interval.low == gap.interval.low else ""
        lines.append(f"{shown.name} of {task} by gender: {', '.join(told)}; gap {amount}{shown.unit}{span}.")
    if not lines:
        lines = ["Not measured: the test part has one annotated gender only, or none."]
    return ["### Gap by gender", "", *lines, "Gender is the corpus's annotation of the speaker.", ""]


def _confidence(model: Model) -> list[str]:
    """What the confidences and bands of ``affuse predict`` are worth, task by task."""
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
    for task in model.dimensions:
        band = model.defaults.band_of(task)
        lines.append(f"- {task}: {band.source}.")
    for task, labels in model.label_sets.items():
        least = zip(labels, model.defaults.thresholds_of(task, labels), strict=True)
        told = ", ".join(f"{label} {one:.2f}" for label, one in least)
        how = (
            "fitted on validation"
            if task in model.defaults.thresholds
            else "not fitted: there was no validation part"
        )
        lines.append(f"- {task}: each label is told from a probability of its own ({how}): {told}.")
    notes = model.defaults.notes(model.label_spaces, model.dimensions)
    few = [note for note in notes if "rest on little" in note or "may lie outside" in note]
    return ["### Confidence", "", *lines, *(["", *few] if few else []), ""]


def _limits(facts: CardFacts) -> list[str]:
    return [
        "## Limits",
        "",
        f"- {facts.speakers} speakers of one corpus: on other voices, languages, rooms and microphones expect less.",
        "- It names the label that the corpus's annotators would give, not what a person feels; acted emotion is "
        "not felt emotion.",
        "- Figures are of one fold and one seed; 'affuse compare' shows how far folds and seeds differ.",
        *[f"- {note}" for note in facts.corpus.notes],
        "",
        "## Intended use",
        "",
        "Research on affect in speech, comparison of methods, and annotation that a person checks. Not for decisions "
        "about people: hiring, work, school, policing, credit, health. Inferring emotions at work or in education is "
        "prohibited in the European Union (Regulation 2024/1689, article 5).",
        "",
    ]


def _licences(model: Model, info: CorpusInfo) -> list[str]:
    corpora = [TrainedOn(title=info.title, licence=info.licence)]
    found = licences_of_model(model.recipe, model.defaults.model_copy(update={"trained_on": corpora}))
    return [
        "## Licences",
        "",
        *(f"- {one.part}: {one.what}: {one.licence}" for one in found),
        "",
        licence_verdict(found),
        "",
        "The licence of this model is for its owner to choose within these; set 'license' above.",
        "",
    ]
