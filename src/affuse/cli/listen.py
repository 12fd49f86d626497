"""``affuse listen``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np


def listen(
    model: Annotated[
        str | None,
        typer.Argument(
            help="Model folder, run folder, Hub id or starter (default: the starter, which comes with affuse)."
        ),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option("--format", help="text (default), json or csv: a line per segment."),
    ] = None,
    microphone: Annotated[
        str | None,
        typer.Option(
            help="Number or part of the name of the input (default: the system's own); 'python -m sounddevice' lists "
            "them."
        ),
    ] = None,
    rate: Annotated[int, typer.Option(min=1, help="Samples per second of the microphone.")] = 16_000,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="Stop after so long (default: at Ctrl-C).")
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
        typer.Option("--vad/--no-vad", help="Emotion only where somebody speaks (default: yes)."),
    ] = None,
    unsure: Annotated[
        float | None,
        typer.Option(help="Confidence below which a label is unsure (default: fitted on validation)."),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help="Answer only these classes of the model, such as anger,neutral (commas between; default: all)."
        ),
    ] = None,
    asr: Annotated[
        str | None,
        typer.Option(
            help="Recognise the words: a transformers model, Hub id or folder; none: not even by the model's own."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda: where the model runs.")] = "auto",
) -> None:
    """Emotion while somebody speaks into the microphone: a line per segment, as soon as nothing can change it."""
    from affuse.cli.live import checked_format, open_stream, tell
    from affuse.cli.predict import answering
    from affuse.inference.live.microphone import Microphone

    kind = checked_format(format_)
    source = Microphone(rate, microphone)
    stream = open_stream(
        answering(model), rate,
        window=window, hop=hop, vad=vad, unsure=unsure, classes=classes, asr=asr, device=device,
    )  # fmt: skip
    with source:
        tell(stream, _until(source, seconds, rate), kind, "microphone")
    if source.lost:
        typer.echo(f"{source.lost:.1f} s of sound were lost: this machine is too slow for it.", err=True)


def _until(blocks: Iterable[np.ndarray], seconds: float | None, rate: int) -> Iterator[np.ndarray]:
    """The blocks of so many seconds."""
    heard = 0
    for block in blocks:
        yield block
        heard += len(block)
        if seconds is not None and heard >= seconds * rate:
            return
