"""What a weighting costs: seconds per training step over the static weighting's, side by side in one process.

    python benchmarks/bench_weighting.py [--batch 8] [--frames 75] [--rounds 7]

The network is the second paper's LSTM on ready-made features (3328 per frame, 4.2 million shared
parameters) and two heads. Everything up to the features is left out; in an end-to-end network "famo" costs
one forward pass more and the gradient-based ones a backward pass per task through all shared layers, so
their ratios come near 1.3 and 1.7.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from affuse.errors import AffuseError
from affuse.fusion.lstm import LSTMFusion
from affuse.sequence import FeatureSequence
from affuse.weighting import (
    DwaWeighting,
    FamoWeighting,
    GeometricWeighting,
    GradNormWeighting,
    ImtlLWeighting,
    RlwWeighting,
    SoftmaxWeighting,
    StaticWeighting,
    UncertaintyWeighting,
)
from affuse.weighting import torchjd as surgery

KINDS = {
    "static": StaticWeighting,
    "softmax": SoftmaxWeighting,
    "uncertainty": UncertaintyWeighting,
    "dwa": DwaWeighting,
    "rlw": RlwWeighting,
    "geometric": GeometricWeighting,
    "imtl_l": ImtlLWeighting,
    "famo": FamoWeighting,
    "gradnorm": GradNormWeighting,
    "gradnorm over features": lambda tasks: GradNormWeighting(tasks, over="features"),
    "pcgrad": surgery.PcGradWeighting,
    "mgda": surgery.MgdaWeighting,
    "aligned_mtl": surgery.AlignedMtlWeighting,
    "cagrad": surgery.CaGradWeighting,
    "nash_mtl": surgery.NashMtlWeighting,
    "upgrad": surgery.UpGradWeighting,
}
CLASSES = {"emotion": 4, "gender": 2}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in (("batch", 8), ("frames", 75), ("rounds", 7)):
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    values = torch.randn(arguments.batch, arguments.frames, 3328)
    clips = {"av": FeatureSequence(values, torch.ones(values.shape[:2], dtype=torch.bool))}
    labels = {task: torch.randint(0, n, (arguments.batch,)) for task, n in CLASSES.items()}
    fusion = LSTMFusion({"av": 3328})
    heads = nn.ModuleDict({task: nn.Linear(256, n) for task, n in CLASSES.items()})
    shared = list(fusion.parameters())

    def losses():
        embedding = fusion(clips)
        return {task: cross_entropy(head(embedding), labels[task]) for task, head in heads.items()}, embedding

    weightings = {}
    for name, make in KINDS.items():
        try:
            weightings[name] = make(tuple(CLASSES))
        except AffuseError as error:
            print(f"{name}: left out. {error}")
    optimisers = {
        name: torch.optim.Adam([*shared, *heads.parameters(), *weighting.parameters()], lr=1e-4)
        for name, weighting in weightings.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in weightings}
    for _ in range(arguments.rounds + 1):
        for name, weighting in weightings.items():
            start = time.perf_counter()
            now, embedding = losses()
            optimisers[name].zero_grad()
            weighting.backward(now, shared, [embedding])
            optimisers[name].step()
            if weighting.needs_losses_after_step:
                with torch.no_grad():
                    weighting.after_step(losses()[0])
            seconds[name].append(time.perf_counter() - start)
    baseline = median(seconds["static"][1:])
    print(f"static: {baseline:.3f} s a step, batch {arguments.batch}, {arguments.frames} frames")
    for name, times in seconds.items():
        print(f"{name:24s} {median(times[1:]) / baseline:5.2f} x static")


if __name__ == "__main__":
    main()
