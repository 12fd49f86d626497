"""Stacked training against Lightning's on a corpus: the same answers to rounding, seed by seed.

    python benchmarks/check_stacked.py CORPUS [--recipe voice-offline] [--seeds 20] [--fold 0] [--set FIELD=VALUE ...]

One fold, with every seed both ways; both ways draw the same dropout, order and first weights, so what is left is
rounding, which training carries on. Prints each seed's balanced accuracy, the largest difference of any probability of
the validation and test part, and how many answers differ.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from affuse.corpora.corpus import Corpus
from affuse.progress import Quiet
from affuse.recipe import Recipe
from affuse.training.cache import FeatureCache
from affuse.training.experiment import set_up
from affuse.training.fold import train_fold
from affuse.training.run import Wanted
from affuse.training.runfolder import RunFolder, RunResult
from affuse.training.stacked.plan import largest_stack
from affuse.training.stacked.reasons import why_not
from affuse.training.stacked.runs import StackCell, train_stacked


def main() -> None:
    """Train, compare, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--recipe", default="voice-offline")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="FIELD=VALUE")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        recipe = Recipe.load(given.recipe, given.changes)
        experiment = set_up(Corpus.load(given.corpus), recipe, FeatureCache(out / "cache"), Quiet())
        reason = why_not(experiment.recipe, experiment)
        if reason:
            raise SystemExit(f"{given.recipe} is not stacked: {reason}.")
        cells = [
            StackCell(
                experiment, experiment.recipe.changed([f"seed={seed}"]), given.fold, out / f"stacked{seed}"
            )
            for seed in range(given.seeds)
        ]
        largest = largest_stack(experiment.recipe, experiment.labelled.spaces, "cpu")
        stacked: dict[Path, RunResult] = {}
        began = time.process_time()
        for first in range(0, len(cells), largest):
            for cell, found in train_stacked(cells[first : first + largest], Wanted(model=False)):
                if not isinstance(found, RunResult):
                    raise found
                stacked[cell.folder] = found
        seconds = time.process_time() - began
        print(f"stacked, {largest} at a time: {seconds:.1f} s of processor time")
        task = next(iter(experiment.recipe.tasks))
        values: list[tuple[float, float]] = []
        largest_difference, answers = 0.0, 0
        began = time.process_time()
        for seed, cell in enumerate(cells):
            other = cell.recipe.changed(["training.engine=lightning"])
            alone = train_fold(experiment, other, given.fold, out / f"lightning{seed}", keep_model=False)
            tables = [RunFolder(folder).predictions() for folder in (cell.folder, alone.folder)]
            columns = list(tables[0].filter(like=f"{task}_p_").columns)
            difference = float(np.abs(tables[0][columns].to_numpy() - tables[1][columns].to_numpy()).max())
            differ = int((tables[0][f"{task}_predicted"] != tables[1][f"{task}_predicted"]).sum())
            values.append((stacked[cell.folder].metrics[task]["bacc"], alone.metrics[task]["bacc"]))
            largest_difference, answers = max(largest_difference, difference), answers + differ
            print(
                f"seed {seed:2d}: BACC {values[-1][0]:.4f} stacked, {values[-1][1]:.4f} by Lightning; best epochs "
                f"{stacked[cell.folder].best_epoch}, {alone.best_epoch}; largest difference of a probability "
                f"{difference:.1e}; {differ} of {len(tables[0])} answers differ"
            )
        print(f"Lightning, one by one: {time.process_time() - began:.1f} s of processor time")
        ours, theirs = np.array(values).T
        print(
            f"BACC {ours.mean():.4f} ({ours.std(ddof=1):.4f} over seeds) stacked, {theirs.mean():.4f} "
            f"({theirs.std(ddof=1):.4f}) by Lightning; largest difference {np.abs(ours - theirs).max():.4f}; "
            f"of a probability {largest_difference:.1e}; {answers} answers differ"
        )


if __name__ == "__main__":
    main()
