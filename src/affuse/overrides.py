"""Changes of one field of a recipe: 'optimizer.lr=3e-4', as --set and --over write them."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from affuse.errors import AffuseError
from affuse.files.yaml_text import read_value

# fields of a recipe whose values are names and labels: text as it is written, be it `no`, `01` or `1.50`
TEXTS = (
    "name", "description", "tasks.*.classes", "tasks.*.merge", "protocol.by", "protocol.validation.by",
    "corpus.labels.classes",
)  # fmt: skip
# `loss=center` and the like on the command line mean the emotion task's field, or the obvious one elsewhere.
SHORTHANDS = {
    "loss": "tasks.emotion.loss",
    "classes": "tasks.emotion.classes",
    "weighting": "weighting.name",
    "fusion": "fusion.name",
    "lr": "optimizer.lr",
    "epochs": "training.epochs",
}


def apply_overrides(data: dict[str, Any], overrides: Sequence[str]) -> None:
    """``apply_override`` in order; what is said of ``standardise`` holds, whether before or after the encoder."""
    for override in overrides:
        apply_override(data, override)
    for override in overrides:
        section, _, rest = override.partition("=")[0].strip().partition(".")
        name, _, field = rest.partition(".")
        # a modality that was removed meanwhile stays so
        if (section, field) == ("modalities", "standardise") and name in ("*", *(data.get(section) or {})):
            apply_override(data, override)


def apply_override(data: dict[str, Any], override: str) -> None:
    """Set one field of ``data`` in place: 'optimizer.lr=3e-4'. The value is read as YAML.

    Choosing another encoder, fusion, loss or weighting drops the options of the one before;
    ``modalities.text=null`` removes that modality; ``modalities.*.dropout=0.3`` sets the field of every modality."""
    key, equals, text = override.partition("=")
    key = SHORTHANDS.get(key.strip(), key.strip())
    if not equals or not key:
        raise AffuseError(f"--set takes key=value, not {override!r}; for example --set optimizer.lr=3e-4.")
    value = read_value(text, key, TEXTS)
    before, star, after = key.partition(".*.")
    if star:
        section: Any = data
        for part in before.split("."):
            section = section.get(part) if isinstance(section, dict) else None
        if not isinstance(section, dict):
            raise AffuseError(f"--set {override}: the recipe has no section {before!r}.")
        for name in list(section):
            apply_override(data, f"{before}.{name}.{after}={text}")
        return
    set_field(data, key, value, f"--set {override}")


def set_field(data: dict[str, Any], key: str, value: Any, where: str) -> None:
    """``apply_override`` with the value as it is; ``where`` begins the message of an AffuseError."""
    *parents, last = SHORTHANDS.get(key, key).split(".")
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


def _check_name(known: dict[str, Any], section: str, name: str, where: str) -> None:
    """A new modality or task is welcome; one whose name is nearly that of another is a slip of the keyboard."""
    close = get_close_matches(name, known, n=1, cutoff=0.75)
    if name not in known and close:
        raise AffuseError(
            f"{where}: the recipe has no {name!r} in {section} (did you mean {close[0]!r}?); one that is to be added "
            "needs a name less like another's."
        )


def _forget_modality(data: dict[str, Any], name: str) -> None:
    """Take a modality that was removed out of the fusion's options that name modalities."""
    options = (data.get("fusion") or {}).get("options") or {}
    if name in options.get("attend", ()):
        options["attend"] = [other for other in options["attend"] if other != name]
    if name in options.get("pool", ()) and isinstance(options["pool"], dict):
        options["pool"] = {other: how for other, how in options["pool"].items() if other != name}
