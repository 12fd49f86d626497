"""Changes of fields of a recipe: {"optimizer.lr": 3e-4}, or 'optimizer.lr=3e-4' as the command line writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any

from affuse.errors import AffuseError
from affuse.files.yaml_text import read_value

Overrides = Mapping[str, Any] | Sequence[str]  # field -> value, or 'field=value'

# fields of a recipe whose values are names and labels: text as it is written, such as `no`, `01` or `1.50`
TEXTS = (
    "name", "description", "tasks.*.classes", "tasks.*.merge", "protocol.by", "protocol.validation.by",
    "corpus.labels.classes",
)  # fmt: skip
# Short names of fields. Those of a task mean emotion, or the one task of a recipe without emotion.
SHORTHANDS = {
    "loss": "tasks.emotion.loss",
    "classes": "tasks.emotion.classes",
    "weighting": "weighting.name",
    "fusion": "fusion.name",
    "lr": "optimizer.lr",
    "epochs": "training.epochs",
}


def apply_overrides(data: dict[str, Any], overrides: Overrides) -> None:
    """Set the fields in ``data`` in order, in place.

    Choosing another encoder, fusion, loss or weighting drops the options of the one before. What is set of
    ``standardise`` holds, whether it stands before or after the encoder.

    Raises:
        AffuseError: A field's name is no name of a recipe's field.
    """
    pairs = _pairs(overrides)
    for field, value in pairs:
        _set(data, field, value)
    for field, value in pairs:
        section, _, rest = field.partition(".")
        name, _, last = rest.partition(".")
        # a modality that was removed meanwhile stays so
        if (section, last) == ("modalities", "standardise") and name in ("*", *(data.get(section) or {})):
            _set(data, field, value)


def apply_override(data: dict[str, Any], override: str) -> None:
    """Set one field of ``data`` in place: 'optimizer.lr=3e-4'. The value is read as YAML."""
    for field, value in _pairs([override]):
        _set(data, field, value)


def set_field(data: dict[str, Any], field: str, value: Any, where: str = "") -> None:
    """Set one field of ``data`` in place to the value as it is.

    Args:
        data: The fields of a recipe.
        field: Its dotted name, or a short one of ``SHORTHANDS``; no star.
        value: None for a modality or a task removes it.
        where: What begins the sentence of an AffuseError; the field's name where it is left out.
    """
    where = where or field
    *parents, last = _full_name(data, field).split(".")
    if len(parents) > 1 and parents[0] in ("modalities", "tasks"):
        _check_name(data.get(parents[0]) or {}, parents[0], parents[1], where)
    node = data
    for parent in parents:
        child = node.setdefault(parent, {})
        if child is None:
            child = node[parent] = {}
        if not isinstance(child, dict):
            raise AffuseError(f"{where}: {parent!r} holds {child!r}, which has no field {last!r}.")
        node = child
    if value is None and parents in (["modalities"], ["tasks"]):
        node.pop(last, None)  # modalities.text=null: without that modality
        if parents == ["modalities"]:
            _forget_modality(data, last)
        return
    if last in ("name", "encoder") and parents and node.get(last) != value:
        node.pop("options", None)  # another part: the old one's options mean nothing to it
        if node.get("standardise") is False:
            node.pop("standardise")  # nor that its features needed no scale
    node[last] = value


def _pairs(overrides: Overrides) -> list[tuple[str, Any]]:
    if isinstance(overrides, Mapping):
        return [(str(field).strip(), plain(value)) for field, value in overrides.items()]
    pairs: list[tuple[str, Any]] = []
    for override in [overrides] if isinstance(overrides, str) else overrides:
        field, equals, text = override.partition("=") if isinstance(override, str) else ("", "", "")
        if not equals or not field.strip():
            raise AffuseError(
                f"{override!r} changes no field of a recipe: write field=value, for example optimizer.lr=3e-4."
            )
        field = field.strip()
        pairs.append((field, read_value(text, SHORTHANDS.get(field, field), TEXTS)))
    return pairs


def plain(value: Any) -> Any:
    """Give the value as YAML would: paths as texts, tuples and ranges as lists, NumPy's numbers as Python's."""
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain(one) for one in value]
    if isinstance(value, PurePath):
        return str(value)
    return value.item() if getattr(value, "ndim", None) == 0 else value


def _set(data: dict[str, Any], field: str, value: Any) -> None:
    before, star, after = field.partition(".*.")
    if not star:
        set_field(data, field, value)
        return
    section: Any = data
    for part in before.split("."):
        section = section.get(part) if isinstance(section, dict) else None
    if not isinstance(section, dict):
        raise AffuseError(f"{field}: the recipe has no section {before!r}.")
    for name in list(section):
        _set(data, f"{before}.{name}.{after}", value)


def _full_name(data: dict[str, Any], field: str) -> str:
    full = SHORTHANDS.get(field, field)
    tasks: list[str] = list(data.get("tasks") or ())
    if full != field and full.startswith("tasks.emotion.") and tasks and "emotion" not in tasks:
        last = full.rpartition(".")[2]
        if len(tasks) > 1:
            choices = ", ".join(f"tasks.{task}.{last}" for task in tasks)
            raise AffuseError(f"{field}: the recipe has no task emotion; name the task, one of {choices}.")
        return f"tasks.{tasks[0]}.{last}"
    return full


def _check_name(known: dict[str, Any], section: str, name: str, where: str) -> None:
    """A new modality or task is welcome; one whose name is nearly that of another is a slip of the keyboard."""
    close = get_close_matches(name, known, n=1, cutoff=0.75)
    if name not in known and close:
        raise AffuseError(
            f"{where}: the recipe has no {name!r} in {section} (did you mean {close[0]!r}?); to add one, give it a "
            "name less like another's."
        )


def _forget_modality(data: dict[str, Any], name: str) -> None:
    """Take a modality that was removed out of the fusion's options that name modalities."""
    options = (data.get("fusion") or {}).get("options") or {}
    if name in options.get("attend", ()):
        options["attend"] = [other for other in options["attend"] if other != name]
    if name in options.get("pool", ()) and isinstance(options["pool"], dict):
        options["pool"] = {other: how for other, how in options["pool"].items() if other != name}
