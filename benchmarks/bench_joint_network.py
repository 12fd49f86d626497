"""The second paper's whole network against the straightforward PyTorch one: seconds and memory per clip.

    PYTHONPATH=src python benchmarks/bench_joint_network.py [--device cpu|cuda] [--frames 150] [--batch 1] [--rounds 1]

Both networks have the same weights and take the same clips of 40 ms frames (150 are 6 s), sound and faces, in
one process. The straightforward one is what a careful reader of the paper writes: nn.Conv1d for the kernel of
4000, transformers' ResNet-50 on every frame, nn.LSTM, two linear heads, eager, float32. A training step is
forward, two cross-entropies, backward, gradient clip and Adam. Then: where affuse's time goes, and what
channels-last and bfloat16 change in the ResNet. Peak memory of a step is the process's on the CPU (each
network in a process of its own), the allocator's on a GPU. Needs torch, transformers and affuse.
"""

from __future__ import annotations

import argparse
import copy
import multiprocessing
import resource
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

import affuse
from affuse.encoders.visual import VisualEncoder, VisualOptions
from affuse.models.network import Model
from affuse.sequence import FeatureSequence

Clips = dict[str, FeatureSequence]


class Straightforward(nn.Module):
    """The paper's network in plain PyTorch, with the weights of affuse's."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        audio, video = model.encoders["audio"], model.encoders["video"]
        self.gain = audio.options.gain
        self.short = copy.deepcopy(audio.short)
        self.long = nn.Conv1d(40, 40, 4000)
        self.long.load_state_dict(audio.long.state_dict())
        self.resnet = copy.deepcopy(video.network).to(memory_format=torch.contiguous_format)
        self.lstm = copy.deepcopy(model.fusion.lstm)
        self.heads = nn.ModuleDict({task: copy.deepcopy(head[-1]) for task, head in model.heads.items()})

    def forward(self, clips: Clips) -> dict[str, Tensor]:
        wave = clips["audio"].values[:, None] * self.gain
        x = functional.max_pool1d(self.short(functional.pad(wave, (40, 39))), 2)
        x = self.long(functional.pad(x, (2000, 1999))).transpose(1, 2)
        sound = functional.max_pool1d(x, 10).reshape(len(x), -1, 1280)
        faces = clips["video"].values.float().div(255).permute(0, 1, 4, 2, 3).contiguous()
        maps = self.resnet(faces.flatten(0, 1)).pooler_output
        frames = torch.cat([sound, maps.flatten(1).view(*faces.shape[:2], -1)], dim=-1)
        last = functional.dropout(self.lstm(frames)[0], 0.5, self.training)[:, -1]
        return {task: head(last) for task, head in self.heads.items()}


def make_clips(batch: int, frames: int, device: str) -> Clips:
    generator = torch.Generator().manual_seed(0)
    wave = 0.1 * torch.randn(batch, 640 * frames, generator=generator)
    faces = torch.randint(0, 256, (batch, frames, 96, 96, 3), dtype=torch.uint8, generator=generator)
    return {
        "audio": FeatureSequence(wave, torch.ones(batch, 640 * frames, dtype=torch.bool)).to(device),
        "video": FeatureSequence(faces, torch.ones(batch, frames, dtype=torch.bool)).to(device),
    }


def make_networks(device: str) -> dict[str, nn.Module]:
    torch.manual_seed(0)
    model = affuse.build("mm-dynamic")
    return {"straightforward": Straightforward(model).to(device), "affuse": model.to(device)}


def logits_of(network: nn.Module, clips: Clips) -> dict[str, Tensor]:
    output = network(clips)
    return output.logits if isinstance(network, Model) else output


def make_step(network: nn.Module, clips: Clips) -> Callable[[], None]:
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=isinstance(network, Model))
    batch = len(clips["audio"].values)
    labels = {
        task: torch.zeros(batch, dtype=torch.long, device=clips["audio"].values.device)
        for task in ("emotion", "gender")
    }

    def step() -> None:
        optimizer.zero_grad()
        logits = logits_of(network.train(), clips)
        sum(0.5 * functional.cross_entropy(logits[task], labels[task]) for task in labels).backward()  # type: ignore[union-attr]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    return step


def make_forward(network: nn.Module, clips: Clips) -> Callable[[], object]:
    def forward() -> object:
        network.eval()
        with torch.inference_mode():
            return logits_of(network, clips)

    return forward


def best(run: Callable[[], object], device: str, rounds: int) -> float:
    """Seconds of the fastest of ``rounds`` runs after a first one."""
    times = []
    for _ in range(rounds + 1):
        if device != "cpu":
            torch.cuda.synchronize()
        began = time.perf_counter()
        run()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return min(times[1:])


def peak_memory(name: str, batch: int, frames: int, device: str) -> float:
    """GiB that a training step needs at most."""
    if device == "cpu":
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(_peak_of_process, (name, batch, frames))
    network = make_networks(device)[name]
    step = make_step(network, make_clips(batch, frames, device))
    step()
    torch.cuda.reset_peak_memory_stats()
    step()
    return torch.cuda.max_memory_allocated() / 2**30


def _peak_of_process(name: str, batch: int, frames: int) -> float:
    make_step(make_networks("cpu")[name], make_clips(batch, frames, "cpu"))()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def parts_of(model: Model, clips: Clips) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    """Part -> (forward, forward and backward)."""

    def of_encoder(name: str) -> tuple[Callable[[], object], Callable[[], object]]:
        encoder = model.encoders[name]
        return _both(encoder, lambda: encoder(clips[name]).values)

    with torch.no_grad():
        features = {name: encoder(clips[name]) for name, encoder in model.encoders.items()}
    return {
        "waveform encoder": of_encoder("audio"),
        "ResNet-50": of_encoder("video"),
        "LSTM": _both(model.fusion, lambda: model.fusion(features)),
    }


def _both(module: nn.Module, run: Callable[[], Tensor]) -> tuple[Callable[[], object], Callable[[], object]]:
    def forward() -> None:
        module.eval()
        with torch.inference_mode():
            run()

    def training() -> None:
        module.train()
        run().sum().backward()

    return forward, training


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    for name, default in (("frames", 150), ("batch", 1), ("rounds", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--skip-memory", action="store_true")
    arguments = parser.parse_args()
    device, batch, frames, rounds = arguments.device, arguments.batch, arguments.frames, arguments.rounds
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    what = torch.cuda.get_device_name() if device != "cpu" else f"CPU, {torch.get_num_threads()} threads"
    print(f"{what}; torch {torch.__version__}; {batch} clips of {frames} frames ({frames / 25:g} s), float32")

    clips = make_clips(batch, frames, device)
    networks = make_networks(device)
    both = [make_forward(network, clips)() for network in networks.values()]
    gap = max(float((both[0][task] - both[1][task]).abs().max()) for task in both[0])  # type: ignore[index]
    print(f"largest difference of the logits: {gap:.1e}\n")

    print(
        f"{'seconds a clip':22} {'forward':>9} {'step':>9}"
        + ("" if arguments.skip_memory else "   peak GiB of a step")
    )
    found = {}
    for name, network in networks.items():
        forward = best(make_forward(network, clips), device, rounds) / batch
        step = best(make_step(network, clips), device, rounds) / batch
        network.zero_grad()
        memory = "" if arguments.skip_memory else f"   {peak_memory(name, batch, frames, device):.2f}"
        found[name] = (forward, step)
        print(f"{name:22} {forward:9.3f} {step:9.3f}{memory}", flush=True)
    ratios = [a / b for a, b in zip(found["straightforward"], found["affuse"], strict=True)]
    print(f"{'ratio':22} {ratios[0]:8.1f}x {ratios[1]:8.1f}x\n")

    model = networks["affuse"]
    assert isinstance(model, Model)
    print(f"{'of affuse':22} {'forward':>9} {'+backward':>9}   share of the step")
    for name, runs in parts_of(model, clips).items():
        forward, training = (best(run, device, rounds) / batch for run in runs)
        print(f"{name:22} {forward:9.3f} {training:9.3f}   {training / found['affuse'][1]:.0%}", flush=True)

    print(f"\n{'ResNet-50':22} {'forward':>9} {'+backward':>9}")
    for channels_last in (False, True):
        for bf16 in (False, True):
            torch.manual_seed(0)
            encoder = VisualEncoder(VisualOptions(channels_last=channels_last, bf16=bf16)).to(device)
            runs = _both(encoder, lambda encoder=encoder: encoder(clips["video"]).values)
            forward, training = (best(run, device, rounds) / batch for run in runs)
            layout = "channels last" if channels_last else "channels first"
            print(f"{layout + (', bf16' if bf16 else ''):22} {forward:9.3f} {training:9.3f}", flush=True)


if __name__ == "__main__":
    main()
