"""What the cells of one experiment share: labelled rows, split, and every modality's tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.corpora.selection import view
from affuse.corpora.splits.making import make_split
from affuse.corpora.splits.overlap import transcript_overlap
from affuse.corpora.splits.split import Split
from affuse.encoders.precomputed import PrecomputedOptions, read_array
from affuse.errors import AffuseError, ClipError
from affuse.evaluation.measures import Measure, measures_of
from affuse.failures import SKIPPED
from affuse.files import digest
from affuse.models.foreign import foreign_code
from affuse.models.network import Model
from affuse.models.parts import build_weighting, resolve_encoder, with_absolute_paths
from affuse.parts.registry import unknown
from affuse.progress import Progress
from affuse.recipe import Recipe
from affuse.training.cache import FeatureCache
from affuse.training.clip_plan import ClipPlan, read_clips
from affuse.training.data import LabelledTable, label_table
from affuse.training.features import Skipped, Source
from affuse.training.inputs import reads_text, without_absent
from affuse.training.label_sets import check_trained, foreign_in_words, rarest
from affuse.training.random_state import own_random_state
from affuse.training.raters import nothing_said, said_by_raters
from affuse.training.ratings import thirds
from affuse.training.runfolder import RunFolder
from affuse.training.seen import Marks
from affuse.training.standardise import FeatureStatistics


@dataclass
class Experiment:
    """Ready to train any fold: nothing here depends on fold, seed, loss or fusion."""

    corpus: Corpus
    recipe: Recipe  # resolved
    labelled: LabelledTable
    split: Split
    clips: ClipPlan
    notes: list[str] = field(default_factory=list)  # what the recipe's view of the corpus changed
    said: pd.DataFrame = field(default_factory=nothing_said, repr=False)  # what raters said of its utterances
    # ``features_key`` and precision -> ``Features``; experiments of one comparison share it
    in_memory: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    # training part -> ``ClipSeconds``, which runs of one fold share: it opens every clip
    clip_seconds: dict[frozenset[str], Any] = field(default_factory=dict[frozenset[str], Any], repr=False)

    @property
    def skipped(self) -> list[Skipped]:
        """Clips that could not be used."""
        return self.clips.skipped

    @property
    def partial(self) -> list[Skipped]:
        """Clips that were used as far as they could be decoded."""
        return self.clips.partial

    @cached_property
    def marks(self) -> Marks:
        """Of its clips, whose files are read once for all runs."""
        return Marks()

    @cached_property
    def transcript_overlap(self) -> float:
        """Mean over folds of ``splits.transcript_overlap`` (0 to 1); NaN where the corpus has no words."""
        shares = [transcript_overlap(self.labelled.table, self.split, fold) for fold in self.split.folds]
        known = [share for share in shares if not np.isnan(share)]
        return float(np.mean(known)) if known else float("nan")

    @property
    def measures(self) -> dict[str, Measure]:
        """Task -> what it is measured by, classes before ratings."""
        return measures_of(self.labelled.spaces, list(self.labelled.ratings), self.labelled.label_sets)

    @property
    def usable_ids(self) -> list[str]:
        """The utterances that have a label and clips that can be used."""
        bad = {skip.id for skip in self.skipped}
        return [id for id in self.labelled.table["id"] if id not in bad]

    @cached_property
    def features_key(self) -> str:
        """Digest of what the features in memory are; splits, losses and seeds do not count."""
        contents = [f"{name} {self.clips.contents[name]}" for name in self.clips.contents]
        return digest(*contents, *self.usable_ids)

    @cached_property
    def features_bytes(self) -> int:
        """What all clips take in memory; those that are read live, without a cache, count for nothing."""
        return self.clips.size()

    def open_clips(self, model: Model) -> dict[str, Source]:
        """Modality -> its clips in this process, as ``model`` takes them; its own encoders read for it."""
        return self.clips.open(model.trained_encoders)

    @cached_property
    def _roles(self) -> dict[int, dict[str, list[str]]]:
        return {}

    def roles(self, fold: int) -> dict[str, list[str]]:
        """Role -> ids of a fold, skipped utterances left out. Raises AffuseError if a needed role is empty."""
        if fold not in self._roles:
            self._roles[fold] = self._usable(fold)
        return {role: list(ids) for role, ids in self._roles[fold].items()}

    def _usable(self, fold: int) -> dict[str, list[str]]:
        check_fold(self.split, fold)
        bad = {skip.id for skip in self.skipped}
        roles = {role: [id for id in ids if id not in bad] for role, ids in self.split.roles(fold).items()}
        for role in ("train", "validation", "test"):
            if not roles.get(role) and (role != "validation" or self.split.roles(fold).get(role)):
                raise AffuseError(f"Fold {fold} has no usable {role} utterance; see {SKIPPED}.")
        return roles

    def votes(self, ids: Sequence[str]) -> pd.DataFrame:
        """What raters said of these utterances, see ``said_by_raters``."""
        return self.said[self.said["id"].isin(list(ids))]

    @cached_property
    def _statistics(self) -> dict[int, FeatureStatistics]:
        return {}

    def statistics(self, fold: int) -> FeatureStatistics:
        """What ``fit_standardisers`` found for the fold, which is the same for all of its runs."""
        return self._statistics.setdefault(fold, {})

    @cached_property
    def corpus_hash(self) -> str:
        """``Corpus.hash``, which reads the whole table each time."""
        return self.corpus.hash

    @cached_property
    def shared_key(self) -> str:
        """Digest of corpus, split, skipped clips, every clip's content and the votes that are learnt."""
        contents = [f"{name} {self.clips.contents[name]}" for name in sorted(self.clips.contents)]
        learnt = [
            f"{task} {id} {row.tolist()}"
            for task, rows in self.labelled.shares.items()
            for id, row in rows.items()
        ]
        return digest(self.corpus_hash, self.split.hash, *contents, *sorted(map(str, self.skipped)), *learnt)

    def key(self, recipe: Recipe, fold: int, folder: RunFolder | None = None) -> str:
        """Digest of everything that a run's result depends on.

        Args:
            recipe: Resolved on the corpus.
            fold: Of the split.
            folder: Of a run that may be the same one. Its recipe is described there as it was then: a packaged recipe
                that was given better words since is no other recipe.
        """
        described = {} if folder is None else folder.recipe_fields()
        if "description" in described:
            recipe = recipe.model_copy(update={"description": described["description"]})
        return digest(recipe.identity(), self.shared_key, str(fold), *foreign_code(recipe))


def set_up(
    corpus: Corpus,
    recipe: Recipe,
    cache: FeatureCache | None,
    progress: Progress,
    device: str = "cpu",
    folds: Sequence[int] = (),
) -> Experiment:
    """Resolve the recipe on the corpus, make the split, and read or encode every clip once.

    A modality that no utterance has is left out of the recipe before an encoder is loaded or downloaded.

    Raises AffuseError for a recipe that does not fit the corpus, or if the split lacks one of ``folds``.
    ``cache=None`` reads and encodes live, each time a clip is used.
    """
    recipe, left_out = without_absent(recipe, corpus)
    recipe = resolve(recipe, corpus)
    corpus, notes = view(corpus, recipe.corpus)
    notes = left_out + notes
    for note in notes:
        progress.say(note)
    labelled = label_table(corpus, recipe)
    if labelled.left_out:
        progress.say(
            f"{labelled.left_out} of {len(corpus)} utterances have none of the recipe's labels: left out."
        )
    for task, counts in labelled.foreign.items():
        progress.say(foreign_in_words(task, counts, f"tasks.{task}.classes"))
    table, task = balanced_by(labelled, recipe)
    split = make_split(table, recipe.protocol, task)
    if split.stamp:
        progress.say(f"This protocol is {split.stamp}: speakers of the test part are heard in training.")
    # a misspelt option or fold is told before an hour of encoding
    for fold in folds:
        check_fold(split, fold)
    check_network(recipe, labelled.names)
    check_trained(split, labelled.label_sets, labelled.sets)
    said = said_by_raters(corpus, recipe, labelled.spaces)
    clips = read_clips(corpus, recipe, list(labelled.table["id"]), cache, progress, device)
    experiment = Experiment(corpus, recipe, labelled, split, clips, notes, said)
    if reads_text(recipe) and experiment.transcript_overlap > 0:
        progress.say(
            f"Transcript overlap: {100 * experiment.transcript_overlap:.1f} % of the test utterances have the same "
            "words as some training utterance (mean over folds)."
        )
    return experiment


def balanced_by(labelled: LabelledTable, recipe: Recipe) -> tuple[pd.DataFrame, str]:
    """The table and the column whose labels a split balances.

    The first task's classes; without such a task, thirds of its ratings or each utterance's rarest label.
    """
    task = next(iter(recipe.classified or recipe.tasks))
    if task in recipe.label_sets:
        rows = np.array(list(labelled.sets[task].values()))
        names = pd.Series(rarest(rows, labelled.label_sets[task]), labelled.table.index, dtype=object)
        return labelled.table.assign(**{task: names}), task
    if task in recipe.dimensions:
        return labelled.table.assign(**{task: thirds(labelled.table[task])}), task
    return labelled.table, task


def check_fold(split: Split, fold: int) -> None:
    """Raises AffuseError if the split has no such fold."""
    if fold not in split.folds:
        raise AffuseError(f"There is no fold {fold}; this split has folds {_span(split.folds)}.")


def check_network(recipe: Recipe, names: Mapping[str, list[str]]) -> None:
    """Build network and weighting once, for the AffuseError of an option that does not fit."""
    with own_random_state():
        Model(recipe, names)
        build_weighting(recipe.weighting, list(recipe.tasks))


def resolve(recipe: Recipe, corpus: Corpus) -> Recipe:
    """Fill in what only this machine and the corpus know.

    That is encoders' paths from the root, so that an experiment is the same from every working folder; the modalities
    that the corpus has; and the widths of pre-extracted features.
    """
    recipe, _ = without_absent(with_absolute_paths(recipe), corpus)
    changes = []
    for name, modality in recipe.modalities.items():
        if modality.encoder != "precomputed":
            continue
        options = resolve_encoder(modality, name).options
        assert isinstance(options, PrecomputedOptions)
        if options.name not in corpus.feature_names:
            raise AffuseError(
                f"modalities.{name}: {unknown(options.name, corpus.feature_names or ['none'], 'feature columns')} "
                f"of {corpus.info.name}."
            )
        if options.width is None:
            changes.append(f"modalities.{name}.options.width={_width(corpus, options.name)}")
    return recipe.changed(changes) if changes else recipe


def _width(corpus: Corpus, name: str) -> int:
    cause = "every row is blank"
    for utterance in corpus.utterances():
        reference = utterance.features.get(name)
        if reference is not None:
            try:
                return read_array(reference).shape[1]
            except ClipError as error:
                cause = str(error)
    raise AffuseError(f"No features_{name} of {corpus.info.name} can be used: {cause}")


def skipped_table(skipped: Sequence[Skipped], partial: Sequence[Skipped] = ()) -> pd.DataFrame:
    """The rows of ``skipped.csv``: what was not used, then what was used in part; column ``used``: no, in part."""
    rows = [(*skip, "no") for skip in skipped] + [(*skip, "in part") for skip in partial]
    return pd.DataFrame(rows, columns=[*Skipped._fields, "used"])


def _span(folds: Sequence[int]) -> str:
    return f"{min(folds)} to {max(folds)}"
