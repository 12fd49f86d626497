"""``affuse adopt``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affuse.cli.train import CACHE_HELP, DEVICE_HELP


def adopt(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL", help="Hub id, folder or ONNX file; several, one for each modality, are joined."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="New folder to write.")],
    weights: Annotated[
        str | None, typer.Option(help="What each modality weighs: audio=1,text=0.5. Default: 1 each.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="YAML file that says what labels mean, 'LABEL: class' or 'LABEL: null' in a line."),
    ] = None,
    fit: Annotated[
        Path | None,
        typer.Option(
            metavar="CORPUS", help="Fit weights, temperatures and the threshold of unsure on this corpus."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model. Default: the folder's.")] = None,
    device: Annotated[str, typer.Option(help=DEVICE_HELP)] = "auto",
    cache: Annotated[Path | None, typer.Option(help=CACHE_HELP)] = None,
) -> None:
    """Make a model folder of public models, joined by late fusion.

    A model is an audio, text or image classifier of transformers with safetensors, an affuse model of one modality, or
    an ONNX file that 'affuse export --inputs raw' wrote. Predict, evaluate, export and push work on what is written.
    """
    import affuse
    from affuse.cli.console import bars, messages
    from affuse.cli.console import out as output

    with bars() as progress:
        folder = affuse.adopt(
            models, out, weights=None if weights is None else _weights(weights), labels=labels, fit=fit, name=name,
            cache=cache, device=device, progress=progress,
        )  # fmt: skip
    output.print(f"The model is in {folder}", soft_wrap=True)
    told = affuse.licences(folder).verdict.replace(
        "the licences above tell", f"'affuse licences {folder}' tells"
    )
    messages.print(told, soft_wrap=True, markup=False)


def _weights(text: str) -> dict[str, float]:
    from affuse.errors import AffuseError

    found: dict[str, float] = {}
    for part in text.split(","):
        modality, equals, weight = (one.strip() for one in part.partition("="))
        try:
            if not modality or not equals or modality in found:
                raise ValueError
            found[modality] = float(weight)
        except ValueError:
            raise AffuseError(
                f"--weights takes modality=number, each once, not {part!r}; for example --weights audio=1,text=0.5."
            ) from None
    return found
