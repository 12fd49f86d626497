"""``affuse predict``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affuse.errors import AffuseError
from affuse.files.names import shown
from affuse.names import counted

if TYPE_CHECKING:
    from rich.console import Console

    from affuse.inference.batch import Job, Outcome
    from affuse.inference.writers import Writer

OVERWRITE_HELP = (
    "Replace files that affuse did not write, or that were edited since. Inputs are never replaced."
)


def predict(
    model: Annotated[str, typer.Argument(help="Model folder (or the run folder that holds it).")],
    clips: Annotated[
        list[str],
        typer.Argument(
            help="Audio or video files, folders, patterns, tables with a column path (and start, end, channel, side, "
            "text); - for standard input."
        ),
    ],
    format_: Annotated[
        str,
        typer.Option("--format", help="json, csv, srt, vtt, audacity; several with --out, commas between."),
    ] = "json",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write; without it, standard output.")
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(help="Seconds of a window (default: the longest training clips but 5 %, at most 6)."),
    ] = None,
    hop: Annotated[
        float | None, typer.Option(help="Seconds from window to window (default: half a window).")
    ] = None,
    vad: Annotated[
        bool | None,
        typer.Option(
            "--vad/--no-vad", help="Emotion only where somebody speaks (default: unless only faces are read)."
        ),
    ] = None,
    unsure: Annotated[
        float | None,
        typer.Option(help="Confidence below which a label is unsure (default: fitted on validation)."),
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option(
            help="The words: plain text, subtitles, a recogniser's JSON, TextGrid, CTM, or a .csv with a column text "
            "(and start, end); a folder for many."
        ),
    ] = None,
    asr: Annotated[
        str | None, typer.Option(help="Recognise the words: a transformers model, Hub id or folder.")
    ] = None,
    side: Annotated[
        str | None, typer.Option(help="left or right: the half of the picture with the speaker.")
    ] = None,
    face: Annotated[
        str | None,
        typer.Option(help="X,Y: the face nearest this point, 0 to 1 across and down (default: the largest)."),
    ] = None,
    detector: Annotated[
        Path | None, typer.Option(help="Face detector, YuNet's ONNX file (default: the recipe's).")
    ] = None,
    channel: Annotated[
        int | None, typer.Option(help="Audio channel, from 0 (default: the mix of all).")
    ] = None,
    track: Annotated[
        int | None, typer.Option(help="Audio track, from 0, of a file that has several (default: the first).")
    ] = None,
    plot: Annotated[
        bool, typer.Option("--plot", help="With --out: a picture of every timeline too.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help=OVERWRITE_HELP)] = False,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes (default: one per core).")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    verbose: Annotated[
        bool, typer.Option("--verbose", help="The whole traceback of what nobody expected of a clip.")
    ] = False,
) -> None:
    """What is felt when in audio or video of any length: segments with label, probabilities and confidence."""
    import os
    from contextlib import ExitStack

    from affuse.cli.console import choose_device, messages
    from affuse.cli.standard_input import named, spooled
    from affuse.cli.timeline_files import TimelineFiles, print_timeline
    from affuse.inference.batch import predict_jobs
    from affuse.inference.jobs import find_jobs
    from affuse.inference.settings import Settings

    writers = _writers(format_, out)
    if plot and out is None:
        raise AffuseError("--plot writes a picture beside the timelines; give --out FOLDER.")
    settings = Settings.of({
        "window": window, "hop": hop, "vad": vad, "unsure": unsure, "text": text, "asr": asr, "side": side,
        "face": _point(face), "detector": detector, "channel": channel, "track": track,
        "device": choose_device(device),
    }, mark="--")  # fmt: skip
    files = None if out is None else TimelineFiles(out, writers, plot, overwrite)
    tell = partial(messages.print, soft_wrap=True, markup=False)
    with ExitStack() as stack:
        copy = stack.enter_context(spooled()) if "-" in clips else None
        found = find_jobs([str(copy) if clip == "-" else clip for clip in clips], settings, tell)
        if out is None and len(found) > 1 and writers[0].name not in ("json", "csv"):
            raise AffuseError(
                f"--format {writers[0].name} of {len(found)} clips needs --out FOLDER; json and csv can be piped."
            )
        if files is not None:
            files.check(found, _inputs(model, clips, found))
            stack.enter_context(files.outputs.writing())
            _tell_names(found, messages)
        # a GPU holds one process's model and windows; as many as cores would fill its memory with contexts
        processes = 1 if settings.device != "cpu" else min(jobs or os.cpu_count() or 1, len(found))
        skipped: list[Outcome] = []
        seconds = wall = 0.0
        for number, outcome in enumerate(predict_jobs(model, found, processes)):
            if copy is not None and outcome.job.path == copy:
                outcome = named(outcome, copy)
            timeline = outcome.timeline
            if timeline is not None and files is not None:
                outcome = files.write(outcome)
            if timeline is None or outcome.timeline is None:
                skipped.append(outcome)
                if verbose and outcome.trace:
                    messages.print(outcome.trace, soft_wrap=True, markup=False)
                continue
            if timeline.warning and number == len(skipped):
                messages.print(timeline.warning, soft_wrap=True, markup=False)
            _tell(outcome, messages)
            seconds, wall = seconds + timeline.seconds, wall + outcome.wall_seconds
            if files is None:
                print_timeline(timeline, writers[0], first=number == len(skipped), alone=len(found) == 1)
        if len(found) == 1 and skipped:
            raise AffuseError(skipped[0].cause)
        if files is not None and skipped:
            files.write_skipped(skipped)
    if len(found) > 1:
        messages.print(
            f"{len(found) - len(skipped)} of {len(found)} clips, {seconds:.1f} s, on {processes} processes.",
            soft_wrap=True,
        )
    for outcome in skipped:
        messages.print(f"Skipped: {outcome.cause}", soft_wrap=True, markup=False)
    if skipped:
        raise typer.Exit(1)


def _writers(formats: str, out: Path | None) -> list[Writer]:
    from affuse.inference.writers import WRITERS
    from affuse.registry import unknown

    names = [name.strip() for name in formats.split(",") if name.strip()]
    for name in names:
        if name not in WRITERS:
            raise AffuseError(f"--format: {unknown(name, list(WRITERS), 'formats')}.")
    if not names:
        raise AffuseError(f"--format takes {', '.join(WRITERS)}.")
    if out is None and len(names) > 1:
        raise AffuseError(f"Standard output takes one format, not {len(names)}; give --out FOLDER.")
    return [WRITERS[name]() for name in dict.fromkeys(names)]


def _point(face: str | None) -> tuple[float, float] | None:
    if face is None or face == "largest":
        return None
    try:
        x, y = (float(part) for part in face.split(","))
    except ValueError:
        x = y = -1.0
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise AffuseError(f"--face takes two numbers from 0 to 1, as in 0.25,0.5, not {face!r}.")
    return x, y


def _inputs(model: str, sources: list[str], jobs: list[Job]) -> list[Path]:
    """What is read besides the clips: none of it may become an output."""
    from affuse.models.finding import files_of

    named = {one for job in jobs for one in (job.settings.text, job.settings.detector) if one is not None}
    return [*files_of(model), *(Path(source) for source in sources), *sorted(named)]


def _tell_names(jobs: list[Job], messages: Console) -> None:
    from affuse.inference.jobs import is_shortened

    for job in jobs:
        if is_shortened(job):
            messages.print(
                shown(f"{job.path}: its name leaves no room for an ending; its outputs are called {job.name}."),
                soft_wrap=True, markup=False,
            )  # fmt: skip


def _tell(outcome: Outcome, messages: Console) -> None:
    timeline = outcome.timeline
    assert timeline is not None
    clip = shown(timeline.clip)
    factor = outcome.wall_seconds / timeline.seconds
    messages.print(
        f"{clip}: {timeline.seconds:.1f} s in {outcome.wall_seconds:.1f} s (real-time factor {factor:.3f}), "
        f"{counted(len(timeline.segments), 'segment')}, peak memory {outcome.peak_bytes / 1e6:.0f} MB.",
        soft_wrap=True, markup=False,
    )  # fmt: skip
    if not timeline.segments:
        messages.print(f"{clip}: nobody speaks; --no-vad takes the whole clip.", soft_wrap=True, markup=False)
    for fault in timeline.faults:
        messages.print(fault, soft_wrap=True, markup=False)
