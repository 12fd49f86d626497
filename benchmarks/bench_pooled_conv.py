"""The waveform encoder's first convolution and its pooling against PyTorch's two layers: a training step's time.

    PYTHONPATH=src python benchmarks/bench_pooled_conv.py [--threads 1] [--rounds 20]

Forward, and backward to weight and bias, at the sizes of `demo-mm-dynamic` (2.4 s at 8 kHz, 40 taps, pooled by 40) and
of the paper's `mm-dynamic` (6 s at 16 kHz, 80 taps, pooled by 2). Both in one process, in turns; milliseconds are the
process's own processor time, the median of the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from affuse.encoders.pooled_conv import pooled_conv1d

FILTERS = 40
SIZES = {
    "demo-mm-dynamic": (8, 19_200, 40, 40),
    "mm-dynamic": (2, 96_000, 80, 2),
}  # clips, samples, taps, pool


def two_layers(x: Tensor, weight: Tensor, bias: Tensor, pool: int) -> Tensor:
    return functional.max_pool1d(functional.conv1d(x[:, None], weight, bias), pool)


def spent(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return 1000 * (time.process_time() - began)


def compare(name: str, rounds: int) -> None:
    torch.manual_seed(0)
    clips, samples, taps, pool = SIZES[name]
    x = torch.randn(clips, samples + taps - 1)
    weight = (0.1 * torch.randn(FILTERS, 1, taps)).requires_grad_()
    bias = torch.randn(FILTERS, requires_grad=True)
    gradient = torch.randn(clips, FILTERS, samples // pool)
    forms = {"two layers": two_layers, "pooled_conv1d": pooled_conv1d}
    found: dict[tuple[str, str], list[float]] = {}
    results: dict[str, list[Tensor]] = {}
    for _ in range(rounds + 1):
        for form, run in forms.items():
            with torch.no_grad():
                forward = spent(lambda run=run: run(x, weight, bias, pool))

            def step(run: Callable[[Tensor, Tensor, Tensor, int], Tensor] = run, form: str = form) -> None:
                y = run(x, weight, bias, pool)
                results[form] = [y.detach(), *torch.autograd.grad(y, (weight, bias), gradient)]

            found.setdefault((form, "forward"), []).append(forward)
            found.setdefault((form, "step"), []).append(spent(step))
    print(f"{name}: {clips} clips of {samples} samples, {taps} taps, pooled by {pool}")
    for what in ("forward", "step"):
        theirs, ours = (statistics.median(found[form, what][1:]) for form in forms)
        print(f"  {what:8} {theirs:8.1f} ms  {ours:8.1f} ms  {theirs / ours:5.1f} x")
    for one, other, what in zip(*results.values(), ("output", "weight", "bias"), strict=True):
        print(f"  largest difference of the {what}: {float((one - other).abs().max() / one.abs().max()):.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} CPU threads")
    for name in SIZES:
        compare(name, options.rounds)


if __name__ == "__main__":
    main()
