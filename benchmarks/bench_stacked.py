"""Stacked training against a plain loop over cells (Lightning, one run after another), in one process.

Networks: SERVER and 3M-SER at the papers' sizes on random features, at EmoDB's size (339 utterances) and IEMOCAP's
(5,531), and SERVER with two ratings beside emotion. A cell is one run of 250 epochs with everything around it: first
files, training, predictions, last files. Its cost is reckoned from two trainings of few epochs, so that what is paid
once and what is paid per epoch are kept apart. Figures are of processor time of one thread, unless they say otherwise.

    python benchmarks/bench_stacked.py [--quick] [--only ratings]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from affuse.api.demonstration import LOSSES
from affuse.corpora.corpus import Corpus
from affuse.corpora.schema import CorpusInfo
from affuse.corpora.splits.making import make_split
from affuse.encoders.base import Encoder
from affuse.models.network import Model
from affuse.progress import Quiet
from affuse.recipe import Recipe
from affuse.training.cells import Cell
from affuse.training.clip_plan import ClipPlan
from affuse.training.data import label_table
from affuse.training.epoch_count import EpochCount
from affuse.training.experiment import Experiment
from affuse.training.features import Source
from affuse.training.lightning.training import train_with_lightning
from affuse.training.run import Wanted
from affuse.training.running import run_cells
from affuse.training.variants import Variant

LABELS = ("anger", "happiness", "sadness", "neutral")
EPOCHS, FOLDS, SEEDS = 250, 5, 5  # of the whole grid
RATINGS = [f"tasks.{task}={{kind: regression, range: [1, 5]}}" for task in ("valence", "arousal")]
WORDS, PATCHES = 10, 4  # median of IEMOCAP's utterances


@dataclass
class Drawn:
    """Random clips in memory: see ``Source``."""

    clips: dict[str, Tensor]

    @property
    def ids(self) -> list[str]:
        return list(self.clips)

    def load(self, id: str) -> Tensor | None:
        return self.clips[id]


@dataclass
class DrawnClips(ClipPlan):
    """Clips that were drawn, not read."""

    drawn: dict[str, Source] | None = None

    def open(self, trained: Mapping[str, Encoder] | None = None) -> dict[str, Source]:
        return dict(self.drawn or {})


def experiment(recipe: Recipe, utterances: int) -> Experiment:
    """A corpus of ``utterances`` in five sessions, whose features say a little of the label."""
    random = np.random.default_rng(0)
    label = random.integers(0, len(LABELS), utterances)
    ids = [f"u{i}" for i in range(utterances)]
    table = pd.DataFrame({
        "id": ids, "text": "x", "session": [str(i % FOLDS) for i in range(utterances)],
        "speaker": [str(i % (2 * FOLDS)) for i in range(utterances)], "emotion": [LABELS[i] for i in label],
        "valence": 1 + label, "arousal": random.uniform(1, 5, utterances).round(2),
    })  # fmt: skip
    info = CorpusInfo(name="random", generated=True, media_root=".", label_spaces={"emotion": list(LABELS)})
    corpus = Corpus(table, info)
    clips: dict[str, Source] = {}
    for name, width, median in (("text", 768, WORDS), ("audio", 128, PATCHES)):
        means = random.normal(size=(len(LABELS), width)).astype(np.float32)
        lengths = np.clip(random.lognormal(np.log(median), 0.6, utterances), 1, 6 * median).astype(int)
        clips[name] = Drawn({
            id: torch.from_numpy(means[k] + random.normal(0, 4, (n, width)).astype(np.float32))
            for id, k, n in zip(ids, label, lengths, strict=True)
        })  # fmt: skip
    labelled = label_table(corpus, recipe)
    split = make_split(labelled.table, recipe.protocol, "emotion")
    plan = DrawnClips(corpus, recipe, {}, {"text": "drawn", "audio": "drawn"}, [], [], None, "cpu", clips)
    return Experiment(corpus, recipe, labelled, split, plan)


class Cost(NamedTuple):
    """Of one cell, in seconds: what is paid once, and per epoch."""

    once: float
    epoch: float

    def of(self, epochs: int) -> float:
        return self.once + epochs * self.epoch


def reckon(train: Callable[[int], None], cells: int, few: int, more: int, clock: Callable[[], float]) -> Cost:
    """From trainings of ``few`` and ``more`` epochs of ``cells`` cells; the first call warms up."""
    train(1)
    taken: list[float] = []
    for epochs in (few, more):
        began = clock()
        train(epochs)
        taken.append((clock() - began) / cells)
    epoch = (taken[1] - taken[0]) / (more - few)
    return Cost(max(0.0, taken[0] - few * epoch), epoch)


def recipe_of(name: str, tasks: Sequence[str] = ()) -> Recipe:
    """The packaged recipe on features that are there already, with further tasks."""
    read = "{{encoder: precomputed, standardise: false, options: {{name: {}, width: {}}}}}"
    return Recipe.load(name, [
        f"modalities.text={read.format('text', 768)}", f"modalities.audio={read.format('audio', 128)}",
        "protocol={kind: leave_one_group_out, by: session, validation: {groups: 1}}", *tasks,
    ])  # fmt: skip


def variants(recipe: Recipe, runs: int) -> list[tuple[Recipe, int]]:
    """(recipe, fold) of the first ``runs`` cells of the grid, by loss, seed and fold."""
    grid = [
        (recipe.changed([f"loss={loss}", f"seed={seed}"]), fold)
        for loss in LOSSES
        for seed in range(SEEDS)
        for fold in range(FOLDS)
    ]
    return [grid[i * len(grid) // runs] for i in range(runs)]


def plain_loop(made: Experiment, cells: Sequence[tuple[Recipe, int]], epochs: int) -> None:
    """The path of one run after another."""
    with tempfile.TemporaryDirectory() as out:
        for i, (recipe, fold) in enumerate(cells):
            chosen = recipe.changed([f"epochs={epochs}"])
            train_with_lightning(made, chosen, fold, Path(out) / str(i), Wanted(model=False))


def stacked(made: Experiment, cells: Sequence[tuple[Recipe, int]], epochs: int, jobs: int = 1) -> None:
    """The same cells as ``affuse compare`` trains them."""
    with tempfile.TemporaryDirectory() as out:
        planned = [
            Cell(Variant({}, recipe.changed([f"epochs={epochs}"])), 0, fold, Path(out) / str(i))
            for i, (recipe, fold) in enumerate(cells)
        ]
        progress = Quiet()
        count = EpochCount([epochs] * len(planned), progress)
        for _, found in run_cells([made], planned, planned, jobs, Wanted(model=False), count, progress):
            if isinstance(found, Exception):
                raise found


def gflops() -> float:
    """What one core multiplies in a second, in the shape of SERVER's first layer."""
    x, w = torch.randn(8, 32, 768), torch.randn(8, 768, 128)
    torch.bmm(x, w)
    began = time.process_time()
    for _ in range(200):
        torch.bmm(x, w)
    return 200 * 2 * x.numel() * 128 / (time.process_time() - began) / 1e9


def server_flop(model: Model) -> float:
    """Of one training step of SERVER at batch 32: two products per weight, three where the input needs a gradient."""
    total = 0.0
    for name, parameter in model.named_parameters():
        if parameter.dim() == 2 and not name.startswith("losses"):
            total += 2 * 32 * parameter.numel() * (2 if name.startswith("fusion") else 3)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer epochs and runs: seconds, rougher")
    parser.add_argument("--only", choices=["ratings"], help="one row of the table")
    given = parser.parse_args()
    quick = given.quick
    torch.set_num_threads(1)
    rate = gflops()
    print(f"One core: {rate:.0f} GFLOP/s of float32 in stacked products of 32 x 768 x 128.")
    for name, tasks, utterances, runs, few, more in (
        ("server", [], 339, 75, 4, 24), ("server", RATINGS, 339, 75, 4, 24), ("server", [], 5531, 25, 1, 4),
        ("3m-ser", [], 339, 4, 1, 4), ("3m-ser", [], 5531, 2, 1, 2),
    ):  # fmt: skip
        if given.only and not tasks:
            continue
        recipe = recipe_of(name, tasks)
        made = experiment(recipe, utterances)
        if quick:
            runs, more = min(runs, 10), few + max(1, (more - few) // 4)
        cells = variants(recipe, runs)
        alone = cells[: 1 if utterances > 1000 else 3]
        loop = reckon(
            lambda n, c=alone, m=made: plain_loop(m, c, n), len(alone), few, more, time.process_time
        )
        side = reckon(lambda n, c=cells, m=made: stacked(m, c, n), runs, few, more, time.process_time)
        steps = -(-len(made.roles(0)["train"]) // 32)
        beside = " with valence and arousal" if tasks else ""
        print(f"\n{name}{beside}, {utterances} utterances, {steps} steps an epoch; seconds of one core")
        print(
            f"  one by one (baseline): {loop.epoch:9.4f} an epoch, {loop.of(EPOCHS):8.2f} a cell of {EPOCHS} epochs"
        )
        print(
            f"  {runs} in stacks:          {side.epoch:9.4f} an epoch, {side.of(EPOCHS):8.2f} a cell,"
            f" {loop.of(EPOCHS) / side.of(EPOCHS):6.1f} x the baseline; {1e3 * side.epoch / steps:.3f} ms a step"
        )
        if name == "server" and not tasks:
            bound = server_flop(Model(recipe, made.labelled.spaces)) / rate / 1e9
            grid = len(LOSSES) * FOLDS * SEEDS
            print(
                f"  arithmetic alone:      {bound * steps:9.4f} an epoch; the grid of {grid} runs: "
                f"{grid * bound * steps * EPOCHS / 2 / 60:.1f} min of two cores, reckoned here "
                f"{grid * side.of(EPOCHS) / 2 / 60:.1f}"
            )
        began = time.perf_counter()
        two = reckon(lambda n, c=cells, m=made: stacked(m, c, n, 2), runs, few, more, time.perf_counter)
        print(
            f"  {runs} in stacks, 2 threads, wall: {two.epoch:.4f} an epoch and run, {two.of(EPOCHS):.2f} a cell"
            f" ({time.perf_counter() - began:.0f} s measured)"
        )


if __name__ == "__main__":
    main()
