"""What was read and answered of a job becomes its timeline."""

from __future__ import annotations

import numpy as np

from affuse.inference.timeline import Timeline
from affuse.inference.window_answers import WindowAnswers
from affuse.serving.engine.job import Job

CLIP = "clip"  # what every client's clip is called


def tell(job: Job) -> Timeline:
    """The timeline of a job whose windows are all answered.

    Raises:
        ClipError: No window could be answered.
    """
    reading, maker = job.reading, job.maker
    assert reading.plan is not None
    count = len(reading.plan.windows)
    rows = reading.rows
    found = {
        task: np.array([rows[i][task] for i in range(count)]) if count else np.zeros((0, 1))
        for task in maker.tasks
    }
    answers = WindowAnswers(found, [reading.given[i] for i in range(count)], list(reading.causes))
    timeline = maker.make(reading.plan, answers, reading.fault, reading.pictures)
    timeline.clip = CLIP
    return timeline
