"""Timelines made by chance, for tests of what is drawn and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from affuse.inference.timeline import Answer, Picture, Segment, Timeline
from affuse.inference.words import Word

EMOTION = {"emotion": ["anger", "happiness", "sadness", "neutral"]}
GENDER = {"gender": ["female", "male"]}
_WORDS = ("I", "would", "like", "a", "new", "alarm", "clock", "maybe", "tomorrow", "it", "will", "be", "cold")


def make_timeline(
    seconds: float,
    mean: float,
    spaces: Mapping[str, Sequence[str]],
    *,
    name: str = "talk.mp4",
    start: float = 0.0,
    faces: bool = False,
    words: bool = True,
    unsure: float = 0.45,
) -> Timeline:
    """``mean``: seconds of a segment."""
    random = np.random.default_rng(0)
    at, segments, said = start + min(0.2, seconds / 10), list[Segment](), list[Word]()
    while at < start + seconds - 0.1:
        if random.random() < 0.15:
            at += random.exponential(mean)
        end = min(start + seconds, at + max(0.2, random.exponential(mean)))
        if end - at < 0.05:
            break
        answers = {}
        for task, space in spaces.items():
            p = random.dirichlet(np.ones(len(space)) * 0.7)
            best = int(p.argmax())
            named = dict(zip(space, map(float, p), strict=True))
            answers[task] = Answer(space[best], float(p[best]), bool(p[best] < unsure), named)
        text = " ".join(random.choice(_WORDS, int((end - at) * 2.5))) if words else ""
        said += [Word(at, end, word) for word in text.split()]
        segments.append(Segment(at, end, answers, ("audio",), text))
        at = end
    pictures = [
        Picture(start + time, np.full((32, 32, 3), 90, np.uint8))
        for time in np.arange(0.3, seconds, seconds / 60)
    ]
    return Timeline(
        name, seconds, segments, dict(segments[0].answers), {task: list(space) for task, space in spaces.items()},
        2.0, 1.0, words=said, start=start, peaks=random.random(int(seconds * 20)).astype(np.float32),
        pictures=pictures if faces else [],
    )  # fmt: skip
