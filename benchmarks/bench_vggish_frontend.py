"""VGGish's front end on a clip of 4.55 s (IEMOCAP's mean): affuse against torchvggish 0.2, in one process.

    python benchmarks/bench_vggish_frontend.py [--seconds 4.55] [--threads 1]

torchvggish builds its mel filters anew for every clip; both start from a float waveform at 16 kHz. The runs
alternate, so that a busy machine slows both alike.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
from torchvggish.vggish_input import waveform_to_examples

from affuse.encoders.vggish.frontend import to_patches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.55)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=200)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    waveform = np.random.default_rng(0).normal(0, 0.1, round(arguments.seconds * 16000)).astype(np.float32)
    systems = {
        "torchvggish 0.2": lambda: waveform_to_examples(waveform.astype(np.float64), 16000),
        "affuse": lambda: torch.from_numpy(to_patches(waveform)),
    }
    times: dict[str, list[float]] = {name: [] for name in systems}
    for round_ in range(arguments.rounds + 5):
        for name, run in systems.items():
            begin = time.perf_counter()
            run()
            if round_ >= 5:
                times[name].append(time.perf_counter() - begin)
    base = statistics.median(times["torchvggish 0.2"])
    for name, values in times.items():
        middle = statistics.median(values)
        print(f"{name:16s} {1000 * middle:7.3f} ms per clip   {base / middle:5.2f} x")


if __name__ == "__main__":
    main()
