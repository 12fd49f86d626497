"""``affuse.train``, ``affuse.compare`` and ``affuse.reproduce``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from affuse.api.inputs import check_corpus, open_cache, open_corpus
from affuse.calls import current_call, recorded
from affuse.devices import check_device, choose_device
from affuse.errors import AffuseError, argument
from affuse.progress import watched
from affuse.recipe.axes import axes_of, overrides_of
from affuse.workers import check_jobs

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus
    from affuse.progress import Progress
    from affuse.recipe import Recipe
    from affuse.results.grid import Grid
    from affuse.results.reproduction import Reproduction, Switches
    from affuse.results.run import Run

PROTOCOLS = ("written", "coded", "honest")


@recorded
def train(
    recipe: str | Path | Recipe,
    corpus: Corpus | str | Path,
    out: str | Path,
    *,
    fold: int = 0,
    seed: int | None = None,
    set: Mapping[str, Any] | Sequence[str] | str | None = None,
    cache: str | Path | None = None,
    live: bool = False,
    self_contained: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
) -> Run:
    """Train one fold with one seed, choose the epoch on validation, test once, and write a run folder.

    A folder whose run is finished is given back as it is; an interrupted run goes on from its last saved epoch. Runs
    that Lightning trains wait for each other if they are started in several threads.

    Args:
        recipe: A packaged name ("3m-ser"), a YAML file, or a recipe.
        corpus: A corpus, or its folder.
        out: The run folder.
        fold: Which fold of the recipe's protocol is tested.
        seed: Of initialisation and batches; None: the recipe's.
        set: Fields of the recipe to change: ``{"optimizer.lr": 3e-4}``, or texts like "optimizer.lr=3e-4".
        cache: Folder of the feature cache; None: $AFFUSE_CACHE, or the user's cache folder.
        live: Write no features to the cache: they are encoded for this run alone.
        self_contained: Copy frozen encoders into the model folder.
        device: "auto", "cpu" or "cuda".
        progress: What it reports to; None: bars in a terminal or notebook, else nothing.

    Raises:
        AffuseError: A value that does not fit the recipe or the corpus, or ``out`` holds something else.

    Examples:
        >>> import affuse
        >>> run = affuse.train("3m-ser", "corpora/emodb", "runs/one", set={"optimizer.lr": 3e-4})  # doctest: +SKIP
        >>> run.metrics["emotion"]["bacc"]  # doctest: +SKIP
        0.7125
    """
    from affuse.recipe import Recipe
    from affuse.training.runfolder import RunFolder

    files = RunFolder(out)
    files.check_writable()  # before the features, which may take an hour
    overrides = [*overrides_of(set), *([] if seed is None else [f"seed={seed}"])]
    chosen = Recipe.load(recipe, overrides)
    check_corpus(corpus)
    check_device(device)
    # what is wrong so far is answered at once: these import torch and lightning
    from affuse.results.run import Run
    from affuse.training.experiment import set_up
    from affuse.training.fold import train_fold

    opened = open_corpus(corpus)
    device = choose_device(device)
    reused = files.finished and files.has_model
    fresh = not (reused or files.has_state)
    with watched(progress) as watching:
        experiment = set_up(opened, chosen, None if live else open_cache(cache), watching, device, [fold])
        epochs = CountedEpochs(watching, experiment.recipe.training.epochs, fresh=fresh)
        train_fold(
            experiment,
            experiment.recipe,
            fold,
            out,
            self_contained=self_contained,
            progress=epochs,
            say=watching.say,
        )
        epochs.end()
    return Run(out, reused=reused, corpus=opened)


@recorded
def compare(
    recipe: str | Path | Recipe,
    corpus: Corpus | str | Path,
    out: str | Path,
    *,
    over: Mapping[str, Iterable[Any]] | Sequence[str] | str | None = None,
    folds: Iterable[int] | None = None,
    set: Mapping[str, Any] | Sequence[str] | str | None = None,
    jobs: int | None = None,
    keep_models: bool = False,
    subsets: bool = False,
    baseline: bool = True,
    overwrite: bool = False,
    device: str = "auto",
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> Grid:
    """Train every combination of values on every fold; write tables, statistics and ``report.html``.

    A finished run is never run again: after an interruption the same call goes on where it was.
    Runs on frozen features train side by side in stacks; the logger ``affuse.training`` says which, and why others do
    not, at the level INFO.

    Args:
        recipe: A packaged name, a YAML file, or a recipe.
        corpus: A corpus, or its folder.
        out: The comparison's folder.
        over: Axis -> its values, of which every combination is run: ``{"loss": ["cross_entropy", "center"], "seed":
            range(3)}``; the axis "recipe" takes names. Or texts like "seed=0,1,2".
        folds: Only these folds; None: all of the protocol.
        set: Fields of every recipe to change, as ``train`` takes them.
        jobs: How many stacks (threads) or single runs (processes) train at a time; None: one per core.
        keep_models: Keep every run's model folder.
        subsets: Test every subset of the modalities too, the others masked.
        baseline: Add a row of logistic regression (of ridge regression for ratings) on statistics of the same features.
        overwrite: Replace files that affuse did not write, or that were edited since.
        device: "auto", "cpu" or "cuda".
        cache: Folder of the feature cache; None: $AFFUSE_CACHE, or the user's cache folder.
        progress: What it reports to; None: bars in a terminal or notebook, else nothing.

    Raises:
        AffuseError: A value that does not fit, or ``out`` holds something else. A run that fails (its loss diverges)
            is no error: see ``Grid.failed``.

    Examples:
        >>> import affuse
        >>> grid = affuse.compare("3m-ser", "corpora/emodb", "runs/grid", over={"seed": range(3)})  # doctest: +SKIP
        >>> grid.verdict  # doctest: +SKIP
    """
    from affuse.training.variants import make_variants

    check_jobs(jobs)
    out = Path(out)
    axes = axes_of(over)
    chosen = _folds(axes.pop("fold", None), folds)
    variants = make_variants(recipe, axes, overrides_of(set))
    check_corpus(corpus)
    check_device(device)
    # what is wrong so far is answered at once: these import torch and lightning
    from affuse.results.comparison_files import write_comparison
    from affuse.training.baseline import add_baseline
    from affuse.training.compare import compare as run
    from affuse.training.comparison_folder import comparison_outputs

    opened, store, device = open_corpus(corpus), open_cache(cache), choose_device(device)
    with comparison_outputs(out, overwrite).writing(), watched(progress) as watching:
        comparison = run(
            variants, opened, out, store, watching,
            folds=chosen, jobs=jobs, device=device, keep_models=keep_models, subsets=subsets,
        )  # fmt: skip
        if baseline:
            add_baseline(comparison, out, watching)
        written = watching.start("tables and report", 1)
        grid = write_comparison(comparison, out, current_call())
        written()
        return grid


@overload
def reproduce(
    paper: str, corpus: Corpus | str | Path, out: str | Path, *, switches: Literal[False] = False,
    protocols: Sequence[str] | str = PROTOCOLS, quick: bool = False, encoders: str = "paper",
    seeds: Iterable[int] | None = None, set: Mapping[str, Any] | Sequence[str] | str | None = None,
    cache: str | Path | None = None, jobs: int | None = None, device: str = "auto", overwrite: bool = False,
    progress: Progress | None = None,
) -> Reproduction: ...  # fmt: skip


@overload
def reproduce(
    paper: str, corpus: Corpus | str | Path, out: str | Path, *, switches: Literal[True],
    protocols: Sequence[str] | str = PROTOCOLS, quick: bool = False, encoders: str = "paper",
    seeds: Iterable[int] | None = None, set: Mapping[str, Any] | Sequence[str] | str | None = None,
    cache: str | Path | None = None, jobs: int | None = None, device: str = "auto", overwrite: bool = False,
    progress: Progress | None = None,
) -> Switches: ...  # fmt: skip


@recorded
def reproduce(
    paper: str,
    corpus: Corpus | str | Path,
    out: str | Path,
    *,
    protocols: Sequence[str] | str = PROTOCOLS,
    switches: bool = False,
    quick: bool = False,
    encoders: str = "paper",
    seeds: Iterable[int] | None = None,
    set: Mapping[str, Any] | Sequence[str] | str | None = None,
    cache: str | Path | None = None,
    jobs: int | None = None,
    device: str = "auto",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Reproduction | Switches:
    """Run a paper's grid as written, as coded and honest, and set its published numbers beside those found.

    A finished run is never run again: after an interruption the same call goes on where it was.

    Args:
        paper: "multi-loss" or "dynamic-loss".
        corpus: A corpus, or its folder.
        out: Folder of the table, the report and a comparison per protocol.
        protocols: Which of "written", "coded" and "honest".
        switches: In place of the protocols: every departure of the authors' code alone, and its effect.
        quick: Small networks, and few epochs, seeds and folds.
        encoders: "paper", or "small" for networks that need no download, with the paper's seeds and folds.
        seeds: In place of the protocol's own.
        set: Fields of every recipe to change; "3m-ser:optimizer.lr" changes those of one recipe.
        cache: Folder of the feature cache; None: $AFFUSE_CACHE, or the user's cache folder.
        jobs: How many stacks (threads) or single runs (processes) train at a time; None: one per core.
        device: "auto", "cpu" or "cuda".
        overwrite: Replace files that affuse did not write, or that were edited since.
        progress: What it reports to; None: bars in a terminal or notebook, else nothing.

    Raises:
        AffuseError: An unknown name, or a corpus that lacks what the paper needs.

    Examples:
        >>> import affuse
        >>> found = affuse.reproduce("multi-loss", "corpora/iemocap", "runs/paper", quick=True)  # doctest: +SKIP
        >>> found.to_frame().query("metric == 'bacc'")  # doctest: +SKIP
    """
    from affuse.reproduction.definition import read_paper
    from affuse.reproduction.form import Form

    read_paper(paper)
    check_jobs(jobs)
    check_corpus(corpus)
    check_device(device)
    # what is wrong so far is answered at once: these import torch and lightning
    from affuse.reproduction.protocols import in_order, run_protocols
    from affuse.reproduction.switches import run_switches
    from affuse.results.reproduction import Reproduction, Switches

    if encoders not in ("paper", "small"):
        raise AffuseError(f"{argument('encoders')} takes paper or small, not {encoders!r}.")
    form = Form(encoders == "small", quick, _seeds(seeds), tuple(overrides_of(set)))
    names = in_order(protocols)
    if switches and names not in (list(PROTOCOLS), ["honest"]):
        raise AffuseError(
            f"{argument('switches', True)} turns one departure on at a time in the honest protocol; leave out "
            f"{argument('protocols')}."
        )
    opened, store, device = open_corpus(corpus), open_cache(cache), choose_device(device)
    with watched(progress) as watching:
        if switches:
            effects = run_switches(
                paper, opened, out, form=form, cache=store, jobs=jobs, device=device, overwrite=overwrite,
                progress=watching,
            )  # fmt: skip
            return Switches(**vars(effects))
        found = run_protocols(
            paper, opened, out, protocols=names, form=form, cache=store, jobs=jobs, device=device,
            overwrite=overwrite, command=current_call(), progress=watching,
        )  # fmt: skip
    return Reproduction(**vars(found))


class CountedEpochs:
    """Takes (epoch, its row) after each epoch of a run, and names what comes after the last one.

    A run that goes on begins its bar where it was, and one that was finished has none: both begin at the first epoch.

    Args:
        progress: What it reports to.
        total: Epochs, where the run does not stop early.
        fresh: The run begins.
    """

    def __init__(self, progress: Progress, total: int, *, fresh: bool) -> None:
        self._progress, self._total = progress, total
        self._advance = progress.start("epochs", total) if fresh else None
        self._ended: Callable[[], None] | None = None

    def __call__(self, epoch: int, row: dict[str, float]) -> None:
        """An epoch is done."""
        if self._advance is None:
            self._advance = self._progress.start("epochs", self._total, epoch - 1)
        self._advance()
        if epoch == self._total:
            self._ended = self._progress.start("predictions and model", 1)

    def end(self) -> None:
        """The run's files are written."""
        if self._ended is not None:
            self._ended()


def _folds(axis: list[str] | None, folds: Iterable[int] | None) -> list[int] | None:
    """``folds``, or the axis of that name."""
    if axis is not None and folds is not None:
        raise AffuseError(
            f"{argument('folds')} and the axis fold of {argument('over')} both choose folds; give them once, not twice."
        )
    chosen: list[Any] | None = axis if folds is None else list(folds)
    if chosen is None:
        return None
    numbers, example = _whole_numbers(chosen), f"for example {argument('folds', [0, 1])}"
    if numbers is None:
        raise AffuseError(f"Folds are whole numbers, not {', '.join(map(str, chosen))}; {example}.")
    if not numbers or len(frozenset(numbers)) < len(numbers):
        fault = "names a fold twice" if numbers else "names no fold"
        raise AffuseError(f"{argument('folds')} {fault}; give each once, {example}, or leave it out for all.")
    return numbers


def _seeds(seeds: Iterable[int] | None) -> tuple[int, ...] | None:
    if seeds is None:
        return None
    chosen = _whole_numbers(list(seeds))
    if not chosen or min(chosen) < 0 or len(frozenset(chosen)) < len(chosen):
        raise AffuseError(
            f"{argument('seeds')} takes different whole numbers from 0, for example {argument('seeds', [0, 1, 2])}."
        )
    return tuple(chosen)


def _whole_numbers(values: Sequence[Any]) -> list[int] | None:
    """The values as whole numbers, digits and NumPy's too; None where one of them is none."""
    try:
        if any(isinstance(value, bool) for value in values):
            return None
        return [int(value) if isinstance(value, str) else index(value) for value in values]
    except (TypeError, ValueError):
        return None
