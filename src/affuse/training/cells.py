"""The runs of a comparison: which there are, and what they share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from affuse.corpora.corpus import Corpus
from affuse.errors import AffuseError, argument
from affuse.files import digest
from affuse.progress import Progress
from affuse.recipe import Recipe
from affuse.training.cache import FeatureCache
from affuse.training.comparison_folder import run_folder
from affuse.training.experiment import Experiment, check_network, resolve, set_up
from affuse.training.run import Wanted
from affuse.training.svm import check_keepable, check_subsets
from affuse.training.variants import Variant, describe, folder_name


class Cell(NamedTuple):
    """One run to make.

    variant: with the recipe resolved on the corpus.
    experiment: the number of the one that has its features and split.
    fold: of that split.
    folder: the run folder.
    """

    variant: Variant
    experiment: int
    fold: int
    folder: Path


def plan_cells(
    variants: Sequence[Variant],
    corpus: Corpus,
    out: Path,
    cache: FeatureCache,
    progress: Progress,
    *,
    folds: Sequence[int] | None,
    device: str,
    wanted: Wanted,
    ready: Sequence[Experiment] = (),
) -> tuple[list[Experiment], list[Cell]]:
    """Every run of the variants, and the experiments that they share: features are computed once.

    ``ready``: experiments of the same corpus, cache and device; those that fit are used again.

    Raises:
        AffuseError: for a recipe that does not fit the corpus, a fold that is not there, and two variants that would
            have one folder or one row of the table.
    """
    experiments: list[Experiment] = []
    known: dict[str, int] = {}
    cells: list[Cell] = []
    fitting = {_shared_part(one.recipe): one for one in ready}
    for variant in variants:
        recipe = resolve(variant.recipe, corpus)
        if wanted.subsets:
            check_subsets(recipe)
        if wanted.model:
            check_keepable(recipe)
        shared = _shared_part(recipe)
        if shared not in known:
            known[shared] = len(experiments)
            made = fitting.get(shared)
            experiments.append(made or set_up(corpus, variant.recipe, cache, progress, device, folds or ()))
            experiments[-1].in_memory = experiments[0].in_memory
        experiment = experiments[known[shared]]
        check_network(recipe, experiment.labelled.names)
        for fold in folds if folds is not None else experiment.split.folds:
            folder = run_folder(out, folder_name(variant.settings, variant.recipe.name), fold)
            cells.append(Cell(variant._replace(recipe=recipe), known[shared], fold, folder))
    _check_distinct(cells)
    return experiments, cells


def _shared_part(recipe: Recipe) -> str:
    """Digest of what features, labels and split depend on."""
    labels = {
        task: choice.model_dump(exclude={"loss", "classifier"}) for task, choice in recipe.tasks.items()
    }
    # modality dropout comes after the features
    modalities = {name: part.model_copy(update={"dropout": 0.0}) for name, part in recipe.modalities.items()}
    seen = recipe.corpus.model_dump_json(), recipe.protocol.model_dump_json()
    return digest(repr(labels), *seen, repr(modalities))


def _check_distinct(cells: Sequence[Cell]) -> None:
    """Raise AffuseError if two cells have one folder, or would be counted as one: same row, seed and fold."""
    if len({cell.folder for cell in cells}) < len(cells):
        raise AffuseError(
            f"Two points of {argument('over')} have the same folder name; make their values differ more."
        )
    seen = {(*describe(cell.variant).items(), cell.variant.recipe.seed, cell.fold) for cell in cells}
    if len(seen) < len(cells):
        raise AffuseError(
            f"Two points of {argument('over')} are the same row of the table; name each loss and recipe once."
        )
