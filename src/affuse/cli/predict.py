"""``affuse predict``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from affuse.errors import AffuseError, argument
from affuse.files.names import shown
from affuse.names import counted

if TYPE_CHECKING:
    from affuse.inference.batch import Outcome
    from affuse.inference.many import Batch
    from affuse.inference.writers import Writer

OVERWRITE_HELP = (
    "Replace files that affuse did not write, or that were edited since. Inputs are never replaced."
)


def predict(
    clips: Annotated[
        list[str],
        typer.Argument(
            help="Audio or video files, folders, patterns, tables with a column path (and start, end, channel, side, "
            "text); - for standard input. Before them a model, if --model does not name it."
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            help="Model folder, run folder, Hub id or starter (default: the starter, which comes with affuse)."
        ),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="json (default), csv, curve (a table of moments), srt, vtt, audacity; several for a folder, commas "
            "between.",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="PATH",
            help="A file of one clip (talk.srt, talk.csv, talk.png: the ending is the format), or a folder (a name "
            "without an ending, or with / at its end); without it, standard output.",
        ),
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(
            help="Seconds of a window (default: 95 % of the training clips are shorter, at most 6)."
        ),
    ] = None,
    hop: Annotated[
        float | None, typer.Option(help="Seconds from window to window (default: half a window).")
    ] = None,
    vad: Annotated[
        bool | None,
        typer.Option(
            "--vad/--no-vad",
            help="Emotion only where somebody speaks (default: yes, unless the model reads faces alone).",
        ),
    ] = None,
    unsure: Annotated[
        float | None,
        typer.Option(help="Confidence below which a label is unsure (default: fitted on validation)."),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help="Answer only these classes of the model, such as anger,neutral; their probabilities sum to 1 again "
            "(default: all)."
        ),
    ] = None,
    values: Annotated[
        bool | None,
        typer.Option(
            "--values",
            help="Subtitles name ratings too, as in valence 3.4 (default: where there are no classes).",
        ),
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option(
            help="The words: plain text, subtitles, a recogniser's JSON, TextGrid, CTM, or a .csv with a column text "
            "(and start, end); a folder for many."
        ),
    ] = None,
    asr: Annotated[
        str | None,
        typer.Option(
            help="Recognise the words: a transformers model, Hub id or folder; none: not even by the model's own."
        ),
    ] = None,
    side: Annotated[
        str | None, typer.Option(help="left or right: the half of the picture with the speaker.")
    ] = None,
    face: Annotated[
        str | None,
        typer.Option(help="X,Y: the face nearest this point, 0 to 1 across and down (default: the largest)."),
    ] = None,
    detector: Annotated[
        Path | None,
        typer.Option(help="YuNet ONNX file to look for faces with (default: the recipe's, or affuse's own)."),
    ] = None,
    channel: Annotated[
        int | None, typer.Option(help="Audio channel, from 0 (default: the mix of all).")
    ] = None,
    track: Annotated[
        int | None, typer.Option(help="Audio track, from 0, of a file that has several (default: the first).")
    ] = None,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Of the sound of - (wav, mkv, webm, ogg, flac, mp3 in a pipe): a line per segment as soon as nothing "
            "can change it; --format text (default), json, csv.",
        ),
    ] = False,
    plot: Annotated[
        bool, typer.Option("--plot", help="With a folder as --out: a picture of every timeline too.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help=OVERWRITE_HELP)] = False,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes (default: one per core).")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print the whole traceback of an unexpected failure.")
    ] = False,
) -> None:
    """Emotion over time in audio or video of any length: segments with label, probabilities and confidence."""
    from affuse.cli.console import bars
    from affuse.cli.flags import sentence

    model, clips = _model_and_clips(model, clips)  # a wrong name is answered before torch is imported
    if live:
        _refuse_beside_live(clips, out=out, plot=plot or None, overwrite=overwrite or None, jobs=jobs)
        _predict_pipe(
            model, format_, channel, track,
            window=window, hop=hop, vad=vad, unsure=unsure, classes=classes, asr=asr, device=device,
            values=values, text=text, side=side, face=_point(face), detector=detector,
        )  # fmt: skip
        return
    from affuse.inference.many import predict_many
    from affuse.inference.timeline_files import writers_of

    formats = _names(format_)
    writers = writers_of(formats or ["json"]) if out is None else []
    if len(writers) > 1:
        raise AffuseError(
            f"Standard output takes one format, not {len(writers)}; give {argument('out')} a folder."
        )
    # bars that are taken away again: what is printed is the results
    with bars(transient=True) as progress, predict_many(
        model, clips, out=out, formats=formats, plot=plot, overwrite=overwrite, jobs=jobs, progress=progress,
        window=window, hop=hop, vad=vad, unsure=unsure, classes=_names(classes), values=values, text=text, asr=asr,
        face=_point(face), detector=detector,
        side=side,  # type: ignore[arg-type]  # checked, with a sentence
        channel=channel, track=track, device=device,
    ) as batch:  # fmt: skip
        if out is None and len(batch) > 1 and writers[0].name not in ("json", "csv"):
            raise AffuseError(
                f"{argument('formats', writers[0].name)} of {len(batch)} clips needs a folder ({argument('out')}); "
                "json and csv can be piped."
            )
        for note in batch.notes:
            _say(note)
        seconds, warned = 0.0, False
        for outcome in batch:
            if outcome.timeline is None:
                if len(batch) == 1:
                    raise outcome.error or AffuseError(outcome.cause)
                if verbose and outcome.trace:
                    _say(outcome.trace, escaped=True)
                continue
            if outcome.timeline.warning and not warned:
                _say(outcome.timeline.warning)
            _say_what_was_found(outcome)
            seconds += outcome.timeline.seconds
            if out is None:
                with progress.aside():
                    _print_timeline(outcome, writers[0], first=not warned, alone=len(batch) == 1)
            warned = True
        if len(batch) > 1:
            done = len(batch) - len(batch.skipped)
            processes = f"{batch.processes} process{'' if batch.processes == 1 else 'es'}"
            _say(f"{done} of {len(batch)} clips, {seconds:.1f} s, on {processes}.")
        _say_what_was_written(batch, out)
        for outcome in batch.skipped:
            _say(f"Skipped: {sentence(outcome.error) if outcome.error else outcome.cause}")
        if batch.skipped:
            raise typer.Exit(1)


def _refuse_beside_live(clips: list[str], **options: object) -> None:
    if clips != ["-"]:
        raise AffuseError(
            f"{argument('live')} predicts sound while it goes on: give - in place of the clips, and pipe the sound to "
            "it."
        )
    for name, value in options.items():
        if value is not None:
            raise AffuseError(
                f"{argument(name)} does not go with {argument('live')}, which prints a line per segment."
            )


def _predict_pipe(
    model: str, format_: str | None, channel: int | None, track: int | None, **settings: Any
) -> None:
    from affuse.cli.live import checked_format, open_stream, tell
    from affuse.inference.standard_input import arriving
    from affuse.media.piped_sound import PipedSound

    kind = checked_format(format_)
    with PipedSound(arriving, channel, track) as sound:
        tell(open_stream(model, sound.rate, **settings), sound.blocks(), kind, "-")
        for sentence in sound.sentences:
            _say(sentence)


_NO_CLIPS = (
    ".yaml",
    ".yml",
    ".safetensors",
    ".onnx",
    ".json",
)  # files of models and corpora, with no sound in them


def _model_and_clips(model: str | None, clips: list[str]) -> tuple[str, list[str]]:
    """The model that is named before the clips or by its option; else the starter, which says what it is."""
    from affuse.models.finding import names_model

    if model is None and (names_model(clips[0]) or _means_a_model(clips)):
        model, *clips = clips
    model = answering(model)
    if not clips:
        raise AffuseError(f"{model} is a model; name the clips to predict behind it.")
    return model, clips


def answering(model: str | None) -> str:
    """The model that is named, or the starter, which says what it is.

    Raises:
        AffuseError: There is none of that name.
    """
    from affuse.models.finding import STARTER, find_folder

    if model is not None:
        find_folder(model)
        return model
    from affuse.models.index import RECIPE
    from affuse.recipe import Recipe

    told = " ".join(Recipe.load(find_folder(STARTER) / RECIPE).description.split())
    _say(f"No model is named, so the starter answers: {told}")
    return STARTER


def _means_a_model(clips: list[str]) -> bool:
    """Whether the first of several looks like a model that is not there or not whole: no file, no pattern, no table."""
    first = Path(clips[0])
    if first.suffix.lower() in _NO_CLIPS and first.is_file():
        return len(clips) > 1
    if len(clips) < 2 or first.is_file() or clips[0] == "-" or any(sign in clips[0] for sign in "*?["):
        return False
    from affuse.models.index import RECIPE

    return (first / RECIPE).is_file() if first.is_dir() else first.suffix == ""


def _names(text: str | None) -> list[str] | None:
    """The names between commas."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _point(face: str | None) -> tuple[float, float] | None:
    if face is None or face == "largest":
        return None
    try:
        x, y = (float(part) for part in face.split(","))
    except ValueError:
        x = y = -1.0
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise AffuseError(f"{argument('face')} takes two numbers from 0 to 1, as in 0.25,0.5, not {face!r}.")
    return x, y


def _say(message: str, escaped: bool = False) -> None:
    """On standard error, as it stands; ``escaped``: it has lines, and its odd letters are escaped already."""
    from affuse.cli.console import messages

    messages.print(message if escaped else shown(message), soft_wrap=True, markup=False)


def _say_what_was_found(outcome: Outcome) -> None:
    timeline = outcome.timeline
    assert timeline is not None
    factor = outcome.wall_seconds / timeline.seconds
    peak = "" if outcome.peak_bytes is None else f", peak memory {outcome.peak_bytes / 1e6:.0f} MB"
    _say(
        f"{timeline.clip}: {timeline.seconds:.1f} s in {outcome.wall_seconds:.1f} s (real-time factor {factor:.3f}), "
        f"{counted(len(timeline.segments), 'segment')}{peak}."
    )
    if not timeline.segments:
        _say(f"{timeline.clip}: nobody speaks in it; --no-vad takes the whole clip.")
    for fault in timeline.faults:
        _say(fault)


def _say_what_was_written(batch: Batch, out: str | None) -> None:
    if len(batch.files) == 1:
        _say(f"Wrote {batch.files[0]}.")
    elif batch.files:
        _say(f"Wrote {len(batch.files)} files to {str(out).rstrip('/')}/.")


def _print_timeline(outcome: Outcome, writer: Writer, *, first: bool, alone: bool) -> None:
    """To standard output: one header for all tables, one line for each of many JSONs."""
    from affuse.inference.writers import CsvWriter, JsonWriter

    timeline = outcome.timeline
    assert timeline is not None
    if isinstance(writer, CsvWriter):
        text = writer.text(timeline, header=first)
    elif isinstance(writer, JsonWriter) and not alone:
        text = writer.line(timeline)
    else:
        text = writer.text(timeline)
    sys.stdout.write(text)
    sys.stdout.flush()
