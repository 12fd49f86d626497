"""Streaming predict: how long after a segment's last window it is final, how fast sound may come, and memory.

    python benchmarks/bench_stream.py [--model starter-whisper] [--sound talk.wav] [--seconds 120] [--hours 1]

Sound comes in blocks of 20 ms at real-time pace, as from a microphone, on one core that has nothing else to do: time
is when the sound arrives and this process's own processor time, or with --wall the wall clock. A final segment
waits for two things. The first is sound: a pause ends an utterance when 0.29 s of it have passed, 0.26 s of them behind
the last window (whose edge has 0.03 s of the pause). The second is computing. Both are told, and their sum: seconds
from the end of the last window that has a say (that covers the segment, or what follows it at once in the same
utterance) until the segment is there. Then the same sound as fast as possible, against ``predict`` of the whole, in
processor time; and memory over hours of it.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from itertools import pairwise

import numpy as np
import soundfile
import soxr
import torch

import affuse
from affuse.corpora.generated.people import make_actor, make_room
from affuse.corpora.generated.voice import speak
from affuse.inference.live.stream import LiveStream
from affuse.inference.windows import lay_windows
from affuse.media.speech import find_speech

RATE = 16_000
BLOCK = 320  # samples: 20 ms


def talk(seconds: float) -> np.ndarray:
    """Generated speech: utterances of one to three feelings, pauses between them."""
    random = np.random.default_rng(0)
    parts: list[np.ndarray] = []
    turn = 0
    while sum(map(len, parts)) < seconds * RATE:
        voice, room = make_actor(turn % 7, 1, "FM"[turn % 2]).voice, make_room(turn % 7, 1)
        for emotion in random.choice(["neu", "ang", "sad", "hap"], int(random.integers(1, 4))):
            parts.append(speak(voice, str(emotion), float(random.uniform(1, 5)), room, random))
        parts.append(np.zeros(round(float(random.choice([0.3, 0.5, 0.8, 1.5])) * RATE), np.float32))
        turn += 1
    wave = np.concatenate(parts)[: round(seconds * RATE)]
    return wave + random.normal(0, 1e-4, len(wave)).astype(np.float32)


def last_windows(
    wave: np.ndarray, window: float, hop: float, segments: list[tuple[float, float]]
) -> list[float]:
    """Where the last window ends that has a say in each segment: it covers it, or what follows at once."""
    laid = lay_windows(find_speech([wave], RATE), window, hop)
    return [
        max(w.end for w in laid if w.start <= end + 1e-6 and w.end > start + 1e-6) for start, end in segments
    ]


def heard_when(stream: LiveStream, wave: np.ndarray) -> list[tuple[float, float, float]]:
    """(start, end, seconds of sound that were there when it became final) of every segment."""
    found: list[tuple[float, float, float]] = []
    for at in range(0, len(wave), BLOCK):
        for segment, final in stream.push(wave[at : at + BLOCK]):
            if final:
                found.append((segment.start, segment.end, stream.seconds))
    return found


def at_pace(stream: LiveStream, wave: np.ndarray, wall: bool) -> list[float]:
    """Seconds since the first sample at which each final segment was there."""
    found: list[float] = []
    began, now = time.perf_counter(), 0.0
    for at in range(0, len(wave), BLOCK):
        arrives = (at + BLOCK) / RATE
        if wall:
            time.sleep(max(0.0, began + arrives - time.perf_counter()))
            told = stream.push(wave[at : at + BLOCK])
            now = time.perf_counter() - began
        else:
            spent = time.process_time()
            told = stream.push(wave[at : at + BLOCK])
            now = max(now, arrives) + time.process_time() - spent
        found += [now for one in told if one.final]
    return found


def resident() -> float:
    """Megabytes of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def told(name: str, values: list[float]) -> None:
    p50, p95 = np.percentile(values, [50, 95])
    share = np.mean(np.array(values) <= 0.3)
    print(
        f"  {name:45} p50 {1000 * p50:5.0f} ms  p95 {1000 * p95:5.0f} ms  {100 * share:4.0f} % within 300 ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="starter")
    parser.add_argument("--sound", help="a recording of speech; default: generated")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--hours", type=float, default=0.25)
    parser.add_argument("--window", type=float)
    parser.add_argument("--wall", action="store_true", help="take the wall clock, and two threads")
    options = parser.parse_args()
    torch.set_num_threads(2 if options.wall else 1)
    wave = talk(options.seconds)
    if options.sound:
        samples, rate = soundfile.read(options.sound, dtype="float32", always_2d=True)
        wave = soxr.resample(samples.mean(axis=1), rate, RATE)[: round(options.seconds * RATE)]
    model = affuse.load(options.model)
    settings = {"asr": "none", "window": options.window}
    timeline = model.predict((wave, RATE), **settings)
    print(f"{options.model}, {len(wave) / RATE:.0f} s, window {timeline.window} s, hop {timeline.hop} s")

    for partial in (True, False):
        when = heard_when(model.stream(RATE, partial=partial, **settings), wave)
        ends = last_windows(wave, timeline.window, timeline.hop, [one[:2] for one in when])
        began = time.process_time()
        there = at_pace(model.stream(RATE, partial=partial, **settings), wave, options.wall)
        spent = time.process_time() - began
        print(
            f"{len(there)} final segments at real-time pace, {'with' if partial else 'without'} partial ones:"
        )
        told(
            "sound that decides, behind the last window",
            [one[2] - end for one, end in zip(when, ends, strict=True)],
        )
        told("computing, behind that sound", [now - one[2] for now, one in zip(there, when, strict=True)])
        told("in all, behind the last window", [now - end for now, end in zip(there, ends, strict=True)])
        print(f"  processor time: {spent / (len(wave) / RATE):.3f} of real time")

    times: dict[str, float] = {}
    for name in ("predict of the whole", "stream in blocks of 20 ms", "stream in blocks of 1 s"):
        began = time.process_time()
        if name.startswith("predict"):
            model.predict((wave, RATE), **settings)
        else:
            stream, size = model.stream(RATE, partial=False, **settings), BLOCK if "20" in name else RATE
            for at in range(0, len(wave), size):
                stream.push(wave[at : at + size])
            stream.close()
        times[name] = time.process_time() - began
    for name, spent in times.items():
        print(f"as fast as possible: {name:28} {spent:6.2f} s, {len(wave) / RATE / spent:5.0f} x real time")

    stream, memory = model.stream(RATE, partial=False, **settings), []
    block = wave[: len(wave) // RATE * RATE].reshape(-1, RATE)
    for second in range(round(options.hours * 3600)):
        stream.push(block[second % len(block)])
        if second % 300 == 299:
            gc.collect()
            memory.append(resident())
    if sys.platform == "linux" and len(memory) > 1:
        steps = ", ".join(f"{after - before:+.1f}" for before, after in pairwise(memory))
        print(
            f"memory over {options.hours:g} h: {memory[0]:.0f} MB after 5 minutes, then {steps} MB each 5 minutes"
        )


if __name__ == "__main__":
    main()
