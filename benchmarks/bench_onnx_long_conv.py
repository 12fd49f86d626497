"""The exported long convolution in onnxruntime against the direct form and PyTorch's overlap-save, in one process.

    PYTHONPATH=src python benchmarks/bench_onnx_long_conv.py [--threads 1] [--clips 4] [--taps 4000] [--channels 40]
    PYTHONPATH=src python benchmarks/bench_onnx_long_conv.py --network    # the whole mm-dynamic instead

The second paper's shape: 40 -> 40 channels, kernels of 4000, 48,000 steps (6 s at 8 kHz), padding that keeps the
length, float32. Rounds take turns; times are the best of all rounds, in milliseconds a clip: on one thread its own
processor time, which other programs on the machine hardly disturb, else the clock's. The direct form, slow, runs on
one clip.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn import functional

import affuse
from affuse.encoders.long_conv import LongConv1d
from affuse.onnx import onnx_file
from affuse.onnx.long_conv import OnnxLongConv
from affuse.onnx.onnx_file import export_onnx
from affuse.sequence import pad

STEPS = 48_000


def export(net: nn.Module, channels: int, path: Path) -> None:
    for name in ("torch.onnx", "onnxscript", "onnx_ir"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            (torch.zeros(3, channels, 9_001),),
            path,
            dynamo=True,
            opset_version=18,
            input_names=["x"],
            dynamic_shapes=(({0: "batch", 2: "steps"}),),
            external_data=False,
            verbose=False,
        )


def load(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def error(y: np.ndarray, x: Tensor, net: LongConv1d) -> float:
    """Root mean square error relative to the exact values (float64), at every 997th step of the first clip."""
    taps = net.kernel_size
    padded, weight = functional.pad(x[0], net.padding).double(), net.weight.double().flatten(1)
    steps = range(0, STEPS, 997)
    exact = torch.stack([weight @ padded[:, t : t + taps].flatten() for t in steps], dim=1)
    exact += net.bias.double()[:, None] if net.bias is not None else 0
    wrong = torch.from_numpy(y[0][:, :: steps.step]) - exact
    return (wrong.square().mean() / exact.square().mean()).sqrt().item()


def layer(options: argparse.Namespace, folder: Path) -> None:
    torch.manual_seed(0)
    taps, channels = options.taps, options.channels
    net = LongConv1d(channels, channels, taps, (taps // 2, taps - 1 - taps // 2)).eval().requires_grad_(False)
    x = torch.randn(options.clips, channels, STEPS)
    print(f"{channels} -> {channels} channels, {taps} taps, {STEPS} steps")
    forms = {"direct ONNX": net, "blocked ONNX": OnnxLongConv(net).eval()}  # LongConv1d exports as a Conv
    for name, form in forms.items():
        export(form, channels, folder / f"{name}.onnx")
    sessions = {name: opened(folder / f"{name}.onnx", options.threads) for name in forms}

    few = x[:1]
    calls = {name: lambda s=s: s.run(None, {"x": few.numpy()})[0] for name, s in sessions.items()}
    calls["PyTorch overlap-save"] = lambda: net(few).numpy()
    report("1 clip", calls, options, 1, lambda y: error(y, few, net))
    blocked = sessions["blocked ONNX"]
    calls = {
        "blocked ONNX": lambda: blocked.run(None, {"x": x.numpy()})[0],
        "PyTorch": lambda: net(x).numpy(),
    }
    report(f"{options.clips} clips", calls, options, options.clips, lambda y: error(y, x, net))


def network(options: argparse.Namespace, folder: Path) -> None:
    """Two clips of 6 and 3.1 s with 12 and 8 faces; random weights, sound and faces."""
    torch.manual_seed(0)
    model = affuse.build("mm-dynamic").eval()
    print("mm-dynamic, clips of 6 and 3.1 s, 20 faces")
    with mock.patch.object(onnx_file, "replace_long_convolutions"):
        export_onnx(model, folder / "direct ONNX.onnx")
    export_onnx(model, folder / "blocked ONNX.onnx")
    sessions = {
        name: opened(folder / f"{name}.onnx", options.threads) for name in ("direct ONNX", "blocked ONNX")
    }
    face = model.encoders["video"].reading_of(model.encoders["video"].options).shape
    clips = {
        "audio": pad([0.06 * torch.randn(96_000), 0.06 * torch.randn(49_600)]),
        "video": pad([torch.randint(0, 256, (n, *face), dtype=torch.uint8) for n in (12, 8)]),
    }
    feed = {}
    for name, (values, mask) in clips.items():
        feed |= {name: values.numpy(), f"{name}_mask": mask.numpy()}
    with torch.no_grad():
        wanted = model(clips).embedding.numpy()
        calls = {name: lambda s=s: s.run(["embedding"], feed)[0] for name, s in sessions.items()}
        calls["PyTorch overlap-save"] = lambda: model(clips).embedding.numpy()
        report("2 clips", calls, options, 2, lambda y: float(np.abs(y - wanted).max() / np.abs(wanted).max()))


def opened(path: Path, threads: int) -> onnxruntime.InferenceSession:
    began = clock(threads)()
    session = load(path, threads)
    seconds = clock(threads)() - began
    print(f"  {path.stem}: {path.stat().st_size / 1e6:.1f} MB, opened in {seconds:.2f} s")
    return session


def clock(threads: int) -> Callable[[], float]:
    return time.thread_time if threads == 1 else time.perf_counter


def report(
    title: str,
    calls: dict[str, Callable[[], np.ndarray]],
    options: argparse.Namespace,
    clips: int,
    error_of: Callable[[np.ndarray], float],
) -> None:
    """Rounds of all calls in turn; the direct form, slow, gets two."""
    now, best, wrong = clock(options.threads), dict.fromkeys(calls, np.inf), {}
    for turn in range(options.rounds):
        for name, call in calls.items():
            if name.startswith("direct") and turn > 1:
                continue
            began = now()
            y = call()
            best[name] = min(best[name], (now() - began) * 1e3 / clips)
            wrong[name] = wrong.get(name) or error_of(y)
    first = next(iter(calls))
    print(f"  {title:22} {'ms a clip':>10} {'times ' + first.split()[0]:>14} {'error':>8}")
    for name, ms in best.items():
        print(f"  {name:22} {ms:10.1f} {best[first] / ms:14.2f} {wrong[name]:8.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", action="store_true", help="the whole mm-dynamic, not the layer alone")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--taps", type=int, default=4000)
    parser.add_argument("--channels", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"onnxruntime {onnxruntime.__version__}, torch {torch.__version__}, {options.threads} threads")
    with tempfile.TemporaryDirectory() as folder:
        (network if options.network else layer)(options, Path(folder))


if __name__ == "__main__":
    main()
