"""``affuse export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from affuse.cli.predict import OVERWRITE_HELP
from affuse.cli.train import CACHE_HELP


def export(
    model: Annotated[str, typer.Argument(help="Model folder, the run folder that holds it, or a Hub id.")],
    out: Annotated[Path, typer.Argument(help="ONNX file to write.")],
    inputs: Annotated[
        str, typer.Option(help="features: frozen encoders stay outside; raw: they are part of the file too.")
    ] = "features",
    int8: Annotated[bool, typer.Option("--int8", help="8-bit weights (dynamic quantisation).")] = False,
    measure: Annotated[
        Path | None, typer.Option(help="Corpus folder to compare PyTorch, ONNX and ONNX in 8 bits on.")
    ] = None,
    split: Annotated[
        Path | None, typer.Option(help="With --measure: a run's split.csv; its test part.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help=CACHE_HELP)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help=OVERWRITE_HELP)] = False,
) -> None:
    """One ONNX file with named inputs and outputs, any batch size and length, labels in its metadata."""
    from affuse.cli.console import bars, messages, print_table
    from affuse.cli.console import out as output
    from affuse.errors import AffuseError

    if inputs not in ("features", "raw"):
        raise AffuseError(f"--inputs takes features or raw, not {inputs!r}.")
    if out.is_dir():
        raise AffuseError(f"{out} is a folder; name a file, for example {out / 'model.onnx'}.")
    if split is not None and measure is None:
        raise AffuseError("--split chooses a part of a corpus; give --measure CORPUS too.")
    from affuse.corpora.corpus import Corpus
    from affuse.files.outputs import Outputs
    from affuse.models.finding import files_of
    from affuse.models.loading import load_model
    from affuse.onnx.check import measure_export
    from affuse.onnx.onnx_file import export_onnx
    from affuse.training.cache import FeatureCache, default_folder
    from affuse.training.runfolder import SPLIT

    outputs = Outputs(out.parent, "export", overwrite=overwrite, deep=False)
    outputs.check([out], [*files_of(model), *([] if split is None else [split])])
    outputs.make_folder()
    chosen = cast(Literal["features", "raw"], inputs)
    with outputs.writing():
        corpus = None if measure is None else Corpus.load(measure)
        network = load_model(model)
        export_onnx(network, out, inputs=chosen, int8=int8)
    output.print(f"{out}: {out.stat().st_size / 1e6:.1f} MB", markup=False, soft_wrap=True)
    if corpus is not None:
        with bars() as progress:
            table = measure_export(
                network, corpus, FeatureCache(cache or default_folder()), progress, inputs=chosen, split=split
            )
        print_table(table, f"{corpus.info.title}: the same clips through PyTorch, ONNX and ONNX in 8 bits")
        if split is None and network.defaults.seen is None:
            messages.print(
                f"All of the corpus, training utterances perhaps included; --split RUN/{SPLIT}: the test."
            )
