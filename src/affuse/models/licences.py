"""The licences of a model's parts, and whether they leave it free for commercial use: what ``affuse licences`` says.

No legal advice: what the parts' own cards and corpora state, read by a machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from affuse.arguments import checked
from affuse.errors import AffuseError
from affuse.models.defaults import PredictionDefaults, TrainedOn
from affuse.models.finding import find_folder
from affuse.models.index import PREDICTION, RECIPE, check_files, read_index, read_json
from affuse.models.loading import inside
from affuse.models.parts import resolve_encoder
from affuse.models.sources import licence_of, licence_of_name, source_with_revision, table
from affuse.recipe import Modality, Recipe

if TYPE_CHECKING:
    import pandas as pd

Commercial = Literal["yes", "no", "unknown"]


class PartLicence(NamedTuple):
    """One part of a model.

    Attributes:
        part: "encoder of audio", "face detector", "recogniser", "head and affuse", "training corpus".
        what: Its name.
        licence: In words.
        commercial: Whether commercial use is allowed, as far as the licence's text tells.
    """

    part: str
    what: str
    licence: str
    commercial: Commercial


@dataclass(frozen=True)
class Licences:
    """The licences of a model's parts.

    Attributes:
        parts: One entry for each part.
    """

    parts: tuple[PartLicence, ...]

    @property
    def verdict(self) -> str:
        """One sentence: commercial use yes, no or unknown, because of which part."""
        return verdict(self.parts)

    @property
    def commercial(self) -> Commercial:
        """Whether every part allows commercial use."""
        answers = {one.commercial for one in self.parts}
        return "no" if "no" in answers else "unknown" if "unknown" in answers else "yes"

    def to_frame(self) -> pd.DataFrame:
        """A row for each part: part, what, licence, commercial."""
        import pandas as pd

        return pd.DataFrame(list(self.parts), columns=list(PartLicence._fields))


@checked
def licences(source: str | Path) -> Licences:
    """Say under which licences the parts of a model stand, and whether that leaves commercial use free.

    No legal advice: it is what the parts' own cards and the corpora state. No weight is loaded.

    Args:
        source: A model folder, a run folder, a starter's name or a Hub id.

    Raises:
        AffuseError: There is no such model, or a file of it was altered.

    Examples:
        >>> import affuse
        >>> found = affuse.licences("starter")
        >>> found.parts[0].part, found.parts[0].commercial
        ('encoder of audio', 'yes')
        >>> found.verdict
        'Commercial use: yes, as far as the licences above tell.'
    """
    folder = find_folder(source)
    check_files(folder)
    recipe = inside(Recipe.load(folder / RECIPE), folder)
    return Licences(tuple(licences_of_model(recipe, _defaults(folder))))


def licences_of_model(recipe: Recipe, defaults: PredictionDefaults) -> list[PartLicence]:
    """The same of a model's recipe and what it knows of its training."""
    found: list[PartLicence] = []
    for name, modality in recipe.modalities.items():
        found += _of_modality(name, modality)
    if defaults.recogniser is not None:
        name = defaults.recogniser
        found.append(_part("recogniser", name, licence_of_name(name)))
    found.append(_part("head and affuse", recipe.name, "Apache-2.0 (affuse's), within the corpora's"))
    found += [_of_corpus(corpus) for corpus in defaults.trained_on]
    if not defaults.trained_on:
        found.append(_part("training corpus", "not kept by this model folder", "unknown"))
    return in_order(found)


def in_order(found: Iterable[PartLicence]) -> list[PartLicence]:
    """Each part once: first what is read with, then the head, last what it was trained on."""
    last = {"head and affuse": 1, "training corpus": 2}
    return sorted(dict.fromkeys(found), key=lambda part: last.get(part.part, 0))


def verdict(found: Sequence[PartLicence]) -> str:
    """One sentence: commercial use yes, no or unknown, because of which part.

    Examples:
        >>> verdict([PartLicence("head", "mine", "Apache-2.0", "yes")])
        'Commercial use: yes, as far as the licences above tell.'
    """
    for answer in ("no", "unknown"):
        texts: dict[tuple[str, str], list[str]] = {}  # one part may be stated twice, in other words
        for one in found:
            if one.commercial == answer and one.licence not in texts.setdefault((one.part, one.what), []):
                texts[one.part, one.what].append(one.licence)
        if texts:
            because = [f"the {part} ({what}: {' / '.join(said)})" for (part, what), said in texts.items()]
            return f"Commercial use: {answer}, because of {'; '.join(because)}."
    return "Commercial use: yes, as far as the licences above tell."


def commercial_use(licence: str) -> Commercial:
    """What a licence's text says of commercial use; of several with "and" between, what the strictest says.

    Examples:
        >>> commercial_use("CC BY-NC-SA 4.0"), commercial_use("CC BY 4.0"), commercial_use("MIT and their own")
        ('no', 'yes', 'unknown')
    """
    answers = {_one_licence(one) for one in (licence, *licence.split(" and "))}
    return "no" if "no" in answers else "unknown" if "unknown" in answers else "yes"


def _one_licence(licence: str) -> Commercial:
    text = f" {re.sub(r'[^a-z0-9]+', ' ', licence.casefold())} "
    for rule in table()["commercial"]:
        if any(f" {word} " in text for word in rule["where"]):
            return cast("Commercial", rule["says"])
    return "unknown"


def _of_modality(name: str, modality: Modality) -> list[PartLicence]:
    """An encoder, the detector that it looks for faces with; of a whole model in its place that model's encoder."""
    if modality.encoder in ("audio_model", "text_model"):
        return _of_whole_model(name, modality)
    what = f"{modality.encoder}{source_with_revision(modality)}"
    found = [_part(f"encoder of {name}", what, licence_of(modality))]
    if (detector := _detector(name, modality)) is not None:
        found.append(detector)
    return found


def _of_whole_model(name: str, modality: Modality) -> list[PartLicence]:
    """The parts of the model that stands for an encoder, and the corpora that it was trained on."""
    try:
        folder = find_folder(modality.options["model"])
        inner = inside(Recipe.load(folder / RECIPE), folder)
        defaults = _defaults(folder)
    except AffuseError:  # moved or deleted since: a report is written all the same
        what = f"{modality.encoder}{source_with_revision(modality)}"
        return [_part(f"encoder of {name}", what, "not known: this model is not here any more")]
    found = [line for part in inner.modalities.values() for line in _of_modality(name, part)]
    return found + [_of_corpus(corpus) for corpus in defaults.trained_on]


def _defaults(folder: Path) -> PredictionDefaults:
    if PREDICTION not in read_index(folder):
        return PredictionDefaults()
    return PredictionDefaults.model_validate(read_json(folder / PREDICTION))


def _of_corpus(corpus: TrainedOn) -> PartLicence:
    return _part("training corpus", corpus.title, corpus.licence or "not stated in its corpus.yaml")


def _detector(name: str, modality: Modality) -> PartLicence | None:
    try:
        options: Any = resolve_encoder(modality, name).options
    except AffuseError:  # of a package that is not here
        return None
    if getattr(options, "crop", "window") == "window":
        return None
    if (file := getattr(options, "detector", None)) is not None:
        return _part("face detector", Path(file).name, "not known to affuse: see where it comes from")
    return _part("face detector", "YuNet, comes with affuse", "MIT")


def _part(part: str, what: str, licence: str) -> PartLicence:
    return PartLicence(part, what, licence, commercial_use(licence))
