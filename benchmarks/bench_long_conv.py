"""LongConv1d against torch.nn.functional.conv1d, at the second paper's shape, in one process.

    PYTHONPATH=src python benchmarks/bench_long_conv.py [--device cpu|cuda] [--clips 4] [--blocks 8192,16000]

40 -> 40 channels, kernels of 4000, 48,000 steps (6 s at 8 kHz), padding 2000/1999, float32. On the CPU with
two threads; on a GPU, where there is one, too, with TF32 off and cuDNN free to try all its algorithms. Times
are the best of several runs, in milliseconds a clip; the direct convolution, slow on a CPU, runs on one clip.
Needs torch and nothing else.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from affuse.encoders.long_conv import LongConv1d, choose_block

CHANNELS, KERNEL, STEPS, PADDING = 40, 4000, 48_000, (2000, 1999)


def best(run: Callable[[], object], device: str, repeats: int, warm_up: int = 2) -> float:
    """Milliseconds of the fastest run."""
    for _ in range(warm_up):
        run()
    times = []
    for _ in range(repeats):
        if device == "cuda":
            start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            start.record()
            run()
            stop.record()
            torch.cuda.synchronize()
            times.append(start.elapsed_time(stop))
        else:
            # One thread is timed by its own clock, which other programs on the machine hardly disturb.
            clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
            began = clock()
            run()
            times.append((clock() - began) * 1e3)
    return min(times)


def direct(x: Tensor, net: LongConv1d) -> Tensor:
    return functional.conv1d(functional.pad(x, PADDING), net.weight, net.bias)


def backward(y: Tensor, x: Tensor, net: LongConv1d, gradient: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(y, (x, net.weight, net.bias), gradient, retain_graph=True)


def error(y: Tensor, x: Tensor, net: LongConv1d) -> float:
    """Root mean square error relative to the exact values (float64), at every 997th step of one clip."""
    x, weight = functional.pad(x[0], PADDING).double(), net.weight.double().flatten(1)
    steps = range(0, STEPS, 997)
    exact = torch.stack([weight @ x[:, t : t + KERNEL].flatten() for t in steps], dim=1)
    exact += net.bias.double()[:, None] if net.bias is not None else 0
    return (
        ((y[0][:, steps.start :: steps.step] - exact).square().mean() / exact.square().mean()).sqrt().item()
    )


def compare(device: str, clips: int) -> None:
    torch.manual_seed(0)
    net = LongConv1d(CHANNELS, CHANNELS, KERNEL, PADDING).to(device)
    x = torch.randn(clips, CHANNELS, STEPS, device=device, requires_grad=True)
    gradient = torch.randn(clips, CHANNELS, STEPS, device=device)

    repeats = 20
    few = clips if device == "cuda" else 1  # clips the direct convolution gets
    slow, warm = (repeats, 3) if device == "cuda" else (1, 0)
    some = x[:few].detach().requires_grad_()

    def made_anew() -> Tensor:
        net._kept = None  # as after an optimiser's step
        return net(x)

    with torch.no_grad():
        direct_forward = best(lambda: direct(some, net), device, slow, warm) / few
        kept = best(lambda: net(x), device, repeats) / clips
        kept_single = best(lambda: net(x[:1]), device, repeats)
    theirs = direct(some, net)
    direct_backward = best(lambda: backward(theirs, some, net, gradient[:few]), device, slow, warm) / few
    anew = best(made_anew, device, repeats) / clips
    again = best(lambda: net(x), device, repeats) / clips
    ours = net(x)
    ours_backward = best(lambda: backward(ours, x, net, gradient), device, repeats) / clips

    kept_block, new_block = choose_block(net.weight.shape), choose_block(net.weight.shape, 1, clips, STEPS)
    print(f"{clips} clips; blocks by the rule: {kept_block} for kept spectra, {new_block} for new ones")
    direct_step, ours_step = direct_forward + direct_backward, anew + ours_backward
    rows = [
        ("forward, evaluation (spectra kept)", direct_forward, kept),
        ("the same, one clip at a time", direct_forward, kept_single),
        ("forward, training, new spectra", direct_forward, anew),
        ("forward, training, spectra kept", direct_forward, again),
        ("backward: x, weight and bias", direct_backward, ours_backward),
        ("training step (new spectra)", direct_step, ours_step),
    ]
    print(f"  {'ms a clip':36} {'conv1d':>10} {'LongConv1d':>11} {'times faster':>13}")
    for name, one, other in rows:
        print(f"  {name:36} {one:10.2f} {other:11.2f} {one / other:13.1f}")
    print(
        f"  backward / forward: {ours_backward / anew:.2f} with new spectra, "
        f"{ours_backward / again:.2f} with spectra kept"
    )
    with torch.no_grad():
        wrong = error(theirs, some, net), error(net(some), some, net)
    print(f"  error against float64: conv1d {wrong[0]:.1e}, LongConv1d {wrong[1]:.1e}")
    if device == "cuda":
        for name, run in (("conv1d", lambda: direct(x, net)), ("LongConv1d", made_anew)):
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            backward(run(), x, net, gradient)
            peak = (torch.cuda.max_memory_allocated() - before) / 2**20
            print(f"  peak memory of a training step, {name}: {peak:.0f} MiB")


def sweep(device: str, clips: int, blocks: list[int]) -> None:
    """How the block's size tells: what the rule in long_conv.py was fitted to."""
    print(f"milliseconds a clip, {clips} clips")
    print(f"{'block':>8} {'evaluation':>11} {'new spectra':>12} {'backward':>9} {'step':>8}")
    for block in blocks:
        torch.manual_seed(0)
        net = LongConv1d(CHANNELS, CHANNELS, KERNEL, PADDING, block=block).to(device)
        x = torch.randn(clips, CHANNELS, STEPS, device=device, requires_grad=True)
        gradient = torch.randn(clips, CHANNELS, STEPS, device=device)

        def made_anew(net: LongConv1d = net, x: Tensor = x) -> Tensor:
            net._kept = None
            return net(x)

        with torch.no_grad():
            kept = best(lambda net=net, x=x: net(x), device, 10) / clips
        anew = best(made_anew, device, 10) / clips
        y = net(x)
        back = best(lambda y=y, x=x, net=net, g=gradient: backward(y, x, net, g), device, 10) / clips
        print(f"{block:8} {kept:11.2f} {anew:12.2f} {back:9.2f} {anew + back:8.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], help="only this one; else all there are")
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--blocks", help="FFT lengths to compare with each other, without conv1d")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    devices = [options.device] if options.device else ["cpu", *["cuda"] * torch.cuda.is_available()]
    for device in devices:
        about = torch.cuda.get_device_name() if device == "cuda" else f"{options.threads} CPU threads"
        print(f"torch {torch.__version__}, {about}")
        if options.blocks:
            sweep(device, options.clips, [int(block) for block in options.blocks.split(",")])
        else:
            compare(device, options.clips)


if __name__ == "__main__":
    main()
