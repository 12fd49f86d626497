"""A corpus made by a program: a generated release, and the corpus that is read from it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field

from affuse.corpora.corpus import Corpus
from affuse.corpora.corpus_files import COUNTS, corpus_outputs
from affuse.errors import AffuseError
from affuse.progress import Progress, Quiet

RELEASE = "release"  # the folder of the release in the corpus folder


def prepare(
    out: str | Path,
    *,
    sessions: Annotated[int, Field(ge=1, description="sessions of two actors each")] = 5,
    dialogs: Annotated[int, Field(ge=1, description="dialogs per session")] = 8,
    turns: Annotated[int, Field(ge=1, description="turns in all")] = 1000,
    seed: Annotated[int, Field(description="the same seed gives the same bytes")] = 0,
    video: Annotated[
        bool, Field(description="draw the faces (most of the time and room), or voices and words only")
    ] = True,
    jobs: Annotated[int | None, Field(ge=1, description="processes (default: one per core)")] = None,
    progress: Progress | None = None,
) -> Corpus:
    """A corpus made by a program, in IEMOCAP's layout and with known ceilings: for the demo and for tests.

    The release is written to ``out/release`` and read like IEMOCAP; 'affuse prepare iemocap' reads it again under other
    label rules.

    Args:
        out: The corpus folder to write.
        sessions: Sessions of two actors each.
        dialogs: Dialogs per session.
        turns: Turns in all.
        seed: The same seed gives the same bytes.
        video: Draw the faces, or make voices and words only.
        jobs: Processes; None: one per core.
        progress: Counts the dialogs.

    Raises:
        AffuseError: The sizes are impossible, or the folder holds a release of other settings, or other files.
    """
    from affuse.corpora.generated import generate_release
    from affuse.corpora.generated.release import settings_of
    from affuse.corpora.readers.iemocap.prepare import prepare as read

    progress = progress or Quiet()
    release = Path(out) / RELEASE
    wanted = {"sessions": sessions, "dialogs": dialogs, "turns": turns, "seed": seed, "video": video}
    found = settings_of(release)
    if found not in ({}, wanted):  # a corpus may have been prepared from it
        settings = ", ".join(f"{name} {value}" for name, value in found.items() if value != wanted[name])
        raise AffuseError(
            f"{out} holds a generated corpus of other settings ({settings}); name a new folder."
        )
    corpus_outputs(out, (), (COUNTS,))
    generate_release(
        release, sessions=sessions, dialogs=dialogs, turns=turns, seed=seed, video=video,
        jobs=jobs or os.cpu_count() or 1, progress=progress.count("generated dialogs"),
    )  # fmt: skip
    return read(release, out, progress=progress)
