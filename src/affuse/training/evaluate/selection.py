"""The utterances of a corpus that a trained model is measured on, and their clips: for evaluation and export alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from affuse.corpora.selection import CorpusView, lacking, view
from affuse.errors import AffuseError, argument
from affuse.names import listed
from affuse.tables import read_table
from affuse.training.clip_plan import ClipPlan, read_clips
from affuse.training.data import Clips, LabelledTable, label_table
from affuse.training.evaluate.labels import by_map, by_vocabulary, check_labels
from affuse.training.evaluate.unseen import choose_utterances
from affuse.training.label_sets import foreign_in_words
from affuse.training.runfolder import SPLIT

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus
    from affuse.corpora.label_map import NamedMap
    from affuse.models.network import Model
    from affuse.progress import Progress
    from affuse.recipe import Recipe
    from affuse.training.cache import FeatureCache


class Selection(NamedTuple):
    """What is measured.

    corpus: as the model's recipe looks at it.
    labelled: its rows with the labels that the model knows.
    ids: of the utterances to be measured.
    roles: id -> its part in the model's training (train, validation, test), or "all".
    trained: whether some of them had a part in making the model.
    unfit: tasks whose labels are not the model's, or that have none.
    """

    corpus: Corpus
    labelled: LabelledTable
    ids: list[str]
    roles: dict[str, str]
    trained: bool
    unfit: list[str]


def select_utterances(
    model: Model,
    corpus: Corpus,
    progress: Progress,
    *,
    split: Path | None = None,
    role: str | None = None,
    run: Path | None = None,
    labels: NamedMap | None = None,
    cure: str = "",
    fit: bool = False,
) -> Selection:
    """Choose the labelled utterances that had no part in training the model, or those of one role.

    Args:
        model: Whose recipe, classes and knowledge of its training are asked.
        corpus: As it is in its folder.
        progress: Reports what is left out, and why.
        split: A run's ``split.csv``, by which a role is chosen (default: test).
        role: One role (train, validation, test) in the model's training, or all.
        run: The model's folder, for models that do not keep what they have seen.
        labels: The corpus's labels -> the model's, before the vocabulary is asked.
        cure: What to do about labels that are not the model's; "": rename them.
        fit: Something is fitted on them, in place of a measurement: what is said speaks of that.

    Raises:
        AffuseError: For labels that are not the model's, a role that no utterance has, and if nothing is left.
    """
    corpus = as_trained(corpus, model.recipe.corpus, progress, split)
    corpus, mapped = (corpus, []) if labels is None else by_map(corpus, labels, model.label_spaces)
    corpus, renamed = by_vocabulary(corpus, model.label_spaces, model.recipe.tasks)
    labelled = label_table(corpus, model.recipe, model.names)
    everyone = list(corpus.table["id"])
    if split is not None:
        role = role or "test"
        everyone = of_role(everyone, split, role)
        if not everyone:
            raise AffuseError(
                f"No {role} utterance of {split} is in {corpus.info.name}; is it another corpus's split?"
            )
    rows = labelled.table[labelled.table["id"].isin(set(everyone))]
    rated = [task for task in (*model.dimensions, *model.label_sets) if rows[task].notna().any()]
    unfit, said = check_labels(corpus, everyone, model.label_spaces, model.recipe.tasks, cure, rated)
    foreign = [foreign_in_words(task, counts, "the model's") for task, counts in labelled.foreign.items()]
    said = [*mapped, *renamed, *said, *foreign]
    tasks = [*(task for task in model.label_spaces if task not in unfit), *rated]
    some = labelled.table[tasks].notna().any(axis=1) & labelled.table["id"].isin(set(everyone))
    ids = list(labelled.table["id"][some])
    if len(ids) < len(everyone):
        said.append(
            f"{len(everyone) - len(ids)} of {len(everyone)} utterances have no label to compare: left out."
        )
    trained, roles = False, dict.fromkeys(ids, role or "all")
    if split is None:
        chosen = choose_utterances(model, corpus, ids, role, run, fit=fit)
        ids, trained, roles = chosen.ids, chosen.trained, roles | chosen.roles
        said += chosen.said
    for sentence in said:
        progress.say(sentence)
    return Selection(corpus, labelled, ids, roles, trained, unfit)


def open_selection(
    model: Model,
    recipe: Recipe,
    chosen: Selection,
    cache: FeatureCache,
    progress: Progress,
    device: str = "cpu",
) -> tuple[Clips, ClipPlan]:
    """Read the chosen utterances; the plan says which clips could not be used.

    Args:
        model: Its own encoders read for it.
        recipe: The model's, or one with fewer modalities, or with other encoders frozen.
        chosen: See ``select_utterances``.
        cache: Of features.
        progress: Reports features.
        device: cpu or cuda.

    Raises:
        AffuseError: If no clip can be used.
    """
    encoders = model.trained_encoders
    plan = read_clips(
        chosen.corpus, recipe, chosen.ids, cache, progress, device, require=False, trained=encoders
    )
    bad = {skip.id for skip in plan.skipped}
    labelled = chosen.labelled
    ids = [id for id in chosen.ids if id not in bad]
    clips = Clips(ids, plan.open(encoders), labelled.targets, labelled.shares)
    if not len(clips):
        raise AffuseError(
            f"None of the {len(chosen.ids)} utterances can be used; the first cause: {plan.skipped[0].cause}"
        )
    return clips, plan


def as_trained(corpus: Corpus, choice: CorpusView, progress: Progress, split: Path | None) -> Corpus:
    """The corpus as a model's recipe looks at it, the run's own or another; what that changes is said.

    What another corpus cannot have is left as it is, and said. Raises AffuseError where a split of the run's own is
    asked for and the corpus cannot have all: the answers would not be the run's.
    """
    lacks = lacking(corpus, choice)
    for name, cause in lacks.items():
        if split is not None:
            raise AffuseError(
                f"The model's recipe has corpus.{name}, and {cause}; name the corpus that the run was trained on, or "
                f"leave {argument('split')} out."
            )
        progress.say(f"The model's recipe has corpus.{name}, which is not applied: {cause}.")
    possible = choice.model_copy(update={name: CorpusView.model_fields[name].default for name in lacks})
    viewed, notes = view(corpus, possible)
    for note in notes:
        progress.say(f"As the model's recipe has it: {note}")
    return viewed


def of_role(ids: list[str], split: Path, role: str) -> list[str]:
    """Those ids that have this role in a run's split. Raises AffuseError where the file or the role is not there."""
    if not split.is_file():
        raise AffuseError(f"There is no split file {split}; a run folder holds {SPLIT}.")
    table = read_table(split).table
    if not {"id", "role"} <= set(table.columns):
        raise AffuseError(f"{split} is not a split table: it needs the columns id, fold and role.")
    wanted = set(table[table["role"] == role]["id"])
    if not wanted:
        raise AffuseError(
            f"{split} has no utterance with the role {role!r}; it has {listed(sorted(set(table['role'].dropna())))}."
        )
    return [id for id in ids if id in wanted]
