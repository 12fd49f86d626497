"""``affuse export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affuse.cli.predict import OVERWRITE_HELP
from affuse.cli.train import CACHE_HELP
from affuse.errors import AffuseError

if TYPE_CHECKING:
    from affuse.onnx.onnx_file import Inputs


def export(
    model: Annotated[str, typer.Argument(help="Model folder, the run folder that holds it, or a Hub id.")],
    out: Annotated[Path, typer.Argument(help="ONNX file to write.")],
    inputs: Annotated[
        str, typer.Option(help="features: frozen encoders stay outside; raw: they are part of the file.")
    ] = "features",
    int8: Annotated[bool, typer.Option("--int8", help="Write 8-bit weights (dynamic quantisation).")] = False,
    measure: Annotated[
        Path | None,
        typer.Option(metavar="CORPUS", help="Compare PyTorch, ONNX and ONNX in 8 bits on this corpus."),
    ] = None,
    split: Annotated[
        Path | None, typer.Option(help="With --measure: a run's split.csv, to measure its test part.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help=CACHE_HELP)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help=OVERWRITE_HELP)] = False,
) -> None:
    """Write a model as one ONNX file.

    Its inputs and outputs have names, take any batch size and length, and the labels are in its metadata.
    """
    import affuse
    from affuse.cli.console import bars
    from affuse.cli.console import out as output
    from affuse.corpora.corpus_files import check_corpus_folder

    if split is not None and measure is None:
        raise AffuseError("--split chooses a part of a corpus; give --measure CORPUS too.")
    if measure is not None:
        check_corpus_folder(measure)
    chosen: Inputs = inputs  # type: ignore[assignment]  # affuse.export refuses others
    with bars():
        path = affuse.export(model, out, inputs=chosen, int8=int8, overwrite=overwrite)
    output.print(f"{path}: {path.stat().st_size / 1e6:.1f} MB", soft_wrap=True)
    if measure is not None:
        _measure(model, measure, chosen, split, cache)


def _measure(model: str, folder: Path, inputs: Inputs, split: Path | None, cache: Path | None) -> None:
    import affuse
    from affuse.api.inputs import open_cache
    from affuse.cli.console import bars, messages, print_table
    from affuse.onnx.check import measure_export
    from affuse.training.runfolder import SPLIT

    network, corpus = affuse.load(model), affuse.Corpus.load(folder)
    with bars() as progress:
        table = measure_export(network, corpus, open_cache(cache), progress, inputs, split)
    print_table(table, f"{corpus.info.title}: the same clips through PyTorch, ONNX and ONNX in 8 bits")
    if split is None and network.defaults.seen is None:
        messages.print(
            "All of the corpus was measured, perhaps with utterances that the model was trained on; --split "
            f"RUN/{SPLIT} measures the test part.",
            soft_wrap=True,
        )
