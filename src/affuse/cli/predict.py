"""``affuse predict``."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affuse.errors import AffuseError

if TYPE_CHECKING:
    from rich.console import Console

    from affuse.inference.batch import Outcome
    from affuse.inference.writers import Writer


def predict(
    model: Annotated[str, typer.Argument(help="Model folder (or the run folder that holds it).")],
    clips: Annotated[
        list[str],
        typer.Argument(
            help="Audio or video files, folders, patterns, tables with a column path; - for standard input."
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
        int | None, typer.Option(help="Audio channel, from 0 (default: the mean of all).")
    ] = None,
    plot: Annotated[
        bool, typer.Option("--plot", help="With --out: a picture of every timeline too.")
    ] = False,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes (default: one per core).")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """What is felt when in audio or video of any length: segments with label, probabilities and confidence."""
    import os

    from affuse.cli.console import choose_device, messages
    from affuse.inference.batch import predict_jobs
    from affuse.inference.jobs import find_jobs
    from affuse.inference.settings import Settings

    writers = _writers(format_, out)
    if plot and out is None:
        raise AffuseError("--plot writes a picture beside the timelines; give --out FOLDER.")
    settings = Settings.of({
        "window": window, "hop": hop, "vad": vad, "unsure": unsure, "text": text, "asr": asr, "side": side,
        "face": _point(face), "detector": detector, "channel": channel, "device": choose_device(device),
    }, mark="--")  # fmt: skip
    spooled = _spool() if "-" in clips else None
    try:
        found = find_jobs(
            [str(spooled) if clip == "-" else clip for clip in clips],
            settings,
            lambda sentence: messages.print(sentence, soft_wrap=True, markup=False),
        )
        if out is None and len(found) > 1 and writers[0].name not in ("json", "csv"):
            raise AffuseError(
                f"--format {writers[0].name} of {len(found)} clips needs --out FOLDER; json and csv can be piped."
            )
        if out is not None:
            _check_folder(out)
        # a GPU holds one process's model and windows; as many as cores would fill its memory with contexts
        processes = 1 if settings.device != "cpu" else min(jobs or os.cpu_count() or 1, len(found))
        skipped: list[Outcome] = []
        seconds = wall = 0.0
        for number, outcome in enumerate(predict_jobs(model, found, processes)):
            if spooled is not None and outcome.job.path == spooled:
                outcome = _named(outcome, spooled)
            if outcome.timeline is None:
                skipped.append(outcome)
                continue
            if outcome.timeline.warning and number == len(skipped):
                messages.print(outcome.timeline.warning, soft_wrap=True, markup=False)
            _tell(outcome, messages)
            seconds, wall = seconds + outcome.timeline.seconds, wall + outcome.wall_seconds
            _give(outcome, writers, out, plot, first=number == len(skipped), alone=len(found) == 1)
    finally:
        if spooled is not None:
            spooled.unlink()
    if len(found) == 1 and skipped:
        raise AffuseError(skipped[0].cause)
    if len(found) > 1:
        messages.print(
            f"{len(found) - len(skipped)} of {len(found)} clips, {seconds:.1f} s, on {processes} processes.",
            soft_wrap=True,
        )
    if skipped:
        raise typer.Exit(_report(skipped, out, messages))


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


def _spool() -> Path:
    """Standard input as a file: decoders seek."""
    import shutil
    import tempfile

    if sys.stdin is None or sys.stdin.closed:
        raise AffuseError("Standard input is closed; name a file instead of -.")
    with tempfile.NamedTemporaryFile(prefix="affuse-stdin-", delete=False) as spooled:
        try:
            shutil.copyfileobj(sys.stdin.buffer, spooled)
        except OSError as error:
            Path(spooled.name).unlink()
            raise AffuseError(
                f"Standard input cannot be read ({(error.strerror or str(error)).lower()})."
            ) from None
        if spooled.tell() == 0:
            Path(spooled.name).unlink()
            raise AffuseError("Standard input is empty (0 bytes); pipe an audio or video file to it.")
    return Path(spooled.name)


def _named(outcome: Outcome, spooled: Path) -> Outcome:
    """Nobody knows standard input by the name of its copy."""

    def told(sentence: str) -> str:
        sentence = sentence.replace(str(spooled), "standard input")
        return sentence[:1].upper() + sentence[1:]

    if outcome.timeline is not None:
        outcome.timeline.clip = "-"
        outcome.timeline.faults = [told(fault) for fault in outcome.timeline.faults]
    return outcome._replace(job=replace(outcome.job, path=Path("-")), cause=told(outcome.cause))


def _check_folder(out: Path) -> None:
    """Told before an hour of work: the folder can be made and written."""
    import tempfile

    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise AffuseError(
            f"{out} cannot be written ({(error.strerror or str(error)).lower()}); choose another --out."
        ) from None


def _give(
    outcome: Outcome, writers: list[Writer], out: Path | None, plot: bool, *, first: bool, alone: bool
) -> None:
    from affuse.inference.writers import CsvWriter, JsonWriter

    timeline = outcome.timeline
    assert timeline is not None
    if out is not None:
        stem = out / outcome.job.name
        for writer in writers:
            writer.write(timeline, stem)
        if plot:
            timeline.plot(stem.with_name(f"{stem.name}.png"))
        return
    writer = writers[0]
    if isinstance(writer, CsvWriter):
        text = writer.text(timeline, header=first)
    elif isinstance(writer, JsonWriter) and not alone:
        text = writer.line(timeline)
    else:
        text = writer.text(timeline)
    sys.stdout.write(text)
    sys.stdout.flush()


def _tell(outcome: Outcome, messages: Console) -> None:
    timeline = outcome.timeline
    assert timeline is not None
    factor = outcome.wall_seconds / timeline.seconds
    messages.print(
        f"{timeline.clip}: {timeline.seconds:.1f} s in {outcome.wall_seconds:.1f} s (real-time factor {factor:.3f}), "
        f"{len(timeline.segments)} segments, peak memory {outcome.peak_bytes / 1e6:.0f} MB.",
        soft_wrap=True, markup=False,
    )  # fmt: skip
    if not timeline.segments:
        messages.print(
            f"{timeline.clip}: nobody speaks; --no-vad takes the whole clip.", soft_wrap=True, markup=False
        )
    for fault in timeline.faults:
        messages.print(fault, soft_wrap=True, markup=False)


def _report(skipped: list[Outcome], out: Path | None, messages: Console) -> int:
    import pandas as pd

    from affuse.files import write_csv

    for outcome in skipped:
        messages.print(f"Skipped: {outcome.cause}", soft_wrap=True, markup=False)
    if out is not None:
        rows = [(str(one.job.path), one.cause) for one in skipped]
        write_csv(out / "skipped.csv", pd.DataFrame(rows, columns=["clip", "cause"]))
    return 1
