"""The card of an adopted model: README.md, with where its parts come from and what their labels were called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from affuse.models.joining import Member
from affuse.models.licences import licences_of_model, verdict
from affuse.models.network import Model
from affuse.models.sources import hub_id_of


def adopted_card(model: Model, members: Mapping[str, Member], said: Sequence[str]) -> str:
    """The text of README.md.

    Args:
        model: The joined model.
        members: Modality -> what it was joined of.
        said: What was said while it was made: mapped labels, what was fitted.
    """
    from huggingface_hub import ModelCardData

    recipe = model.recipe
    bases = sorted({found for part in recipe.modalities.values() if (found := hub_id_of(part))})
    front = ModelCardData(
        model_name=recipe.name, library_name="affuse", license="unknown", base_model=bases or None,
        tags=["affuse", "emotion-recognition", *sorted(members)],
    )  # fmt: skip
    parts = licences_of_model(recipe, model.defaults)
    lines = [
        f"---\n{front.to_yaml()}\n---\n",
        f"# {recipe.name}",
        "",
        "Public models adopted by affuse: none of them was trained by it. "
        + ("Their probabilities are averaged (late fusion)." if len(members) > 1 else ""),
        "",
        *(f"- **{task}**: {', '.join(space)}" for task, space in model.label_spaces.items()),
        "",
        "## Labels",
        "",
        "| modality | label of the model | class here |",
        "|---|---|---|",
        *(
            f"| {name} | {_cell(label)} | {_cell(_class(member, place))} |"
            for name, member in members.items()
            for place, label in enumerate(member.labels)
        ),
        "",
        *(line for sentence in said for line in (sentence, "")),
        "## Confidence",
        "",
        *(f"- {task}: {_confidence(model, task)}" for task in model.label_spaces),
        "",
        "## Limits",
        "",
        "What each model was trained on is said in its own card; on other voices, languages and recordings expect "
        "less. It names the label that annotators would give, not what a person feels. Not for decisions about people: "
        "hiring, work, school, policing, credit, health. Inferring emotions at work or in education is prohibited in "
        "the European Union (Regulation 2024/1689, article 5).",
        "",
        "## Licences",
        "",
        *(f"- {one.part}: {one.what}: {one.licence}" for one in parts),
        "",
        verdict(parts),
        "",
    ]
    return "\n".join(lines)


def _class(member: Member, place: int) -> str:
    found = [f"{known[place]} ({task})" for task, known in member.classes.items() if place in known]
    return ", ".join(found) or "none"


def _cell(text: str) -> str:
    """A label as a cell of a table."""
    return " ".join(text.replace("|", "\\|").split())


def _confidence(model: Model, task: str) -> str:
    one = model.defaults.of_task(task)
    unsure = (
        f"answers below {one.unsure_below:.2f} are called unsure"
        if one.unsure_below
        else "no answer is called unsure"
    )
    if one.cause or not one.utterances:
        return f"the models' own, {one.source}; {unsure}"
    return f"temperature {one.temperature:.2f} {one.source}; {unsure}"
