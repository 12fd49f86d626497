"""What is done with a trained model: evaluate, export, measure_export, push and pull."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from affuse.api.inputs import (
    check_corpus,
    check_model,
    check_rename,
    folder_of,
    open_cache,
    open_corpus,
    open_model,
)
from affuse.calls import recorded
from affuse.devices import choose_device
from affuse.errors import AffuseError, argument
from affuse.progress import Heard, watched

if TYPE_CHECKING:
    import pandas as pd

    from affuse.corpora.corpus import Corpus
    from affuse.models.network import Model
    from affuse.progress import Progress
    from affuse.results.evaluation import Evaluation
    from affuse.results.run import Run


@recorded
def evaluate(
    model: str | Path | Model | Run,
    corpus: Corpus | str | Path,
    out: str | Path | None = None,
    *,
    split: str | Path | None = None,
    role: str | None = None,
    rename: Mapping[str, str] | None = None,
    labels: Mapping[str, str | None] | str | Path | None = None,
    modalities: Iterable[str] | None = None,
    overwrite: bool = False,
    cache: str | Path | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a trained model on a corpus: ACC, BACC, F1, intervals over speakers, recall, gaps by gender.

    Utterances that the model was trained on are recognised, in a copy of its corpus too, and left out.

    Args:
        model: A model folder, a run folder, a Hub id, or what ``affuse.load`` or ``affuse.train`` gave.
        corpus: A corpus, or its folder.
        out: Folder for the tables; None: nothing is written.
        split: A run's split.csv: only the utterances of one role in it are measured.
        role: "train", "validation", "test" or "all"; None: those that the model was not trained on, and with ``split``
            its test part.
        rename: Label of the corpus -> the model's label for it; both must be known. Spellings that the vocabulary
            knows need none.
        labels: The same as a YAML file, or a mapping, in which None (YAML: null) leaves a label out, and ``"*"`` is
            every other label; applied after ``rename``.
        modalities: Those that the model is given, the others masked; None: all of its own.
        overwrite: Replace files that affuse did not write, or that were edited since.
        cache: Folder of the feature cache; None: $AFFUSE_CACHE, or the user's cache folder.
        device: "auto", "cpu" or "cuda".
        progress: What it reports to; None: bars in a terminal or notebook, else nothing.

    Raises:
        AffuseError: There is no model, labels that are not the model's, or nothing is left to measure.

    Examples:
        >>> import affuse
        >>> found = affuse.evaluate("runs/one", "corpora/other", rename={"angry": "anger"})  # doctest: +SKIP
        >>> found.to_frame()  # doctest: +SKIP
    """
    check_rename(rename)
    from affuse.corpora.label_map import read_label_map

    chosen = None if labels is None else read_label_map(labels)
    check_model(model)
    check_corpus(corpus)
    # what is wrong so far is answered at once: these import torch
    from affuse.files.outputs import Outputs
    from affuse.models.finding import files_of
    from affuse.results.evaluation import Evaluation
    from affuse.training.evaluate import TABLES, check_renamed, evaluate_model, rename_labels

    folder = folder_of(model)
    given = None if modalities is None else tuple(modalities)
    split = None if split is None else Path(split)
    outputs = None if out is None else Outputs(out, "evaluate", overwrite=overwrite, deep=False)
    if outputs is not None:  # before the features, which may take an hour
        given_files = [Path(one) for one in (split, labels) if isinstance(one, str | Path)]
        read = [*([] if folder is None else files_of(folder)), *given_files]
        outputs.check([outputs.folder / file for file in TABLES.values()], read)
    opened = rename_labels(open_corpus(corpus), dict(rename or {}))
    if outputs is not None:
        outputs.make_folder()
    with outputs.writing() if outputs is not None else nullcontext(), watched(progress) as watching:
        trained = open_model(model)
        check_renamed(opened, rename or {}, trained.label_spaces, trained.recipe.tasks)
        heard = Heard(watching)
        tables = evaluate_model(
            trained, opened, open_cache(cache), heard, choose_device(device),
            split=split, role=role, modalities=given, run=folder, labels=chosen,
        )  # fmt: skip
        found = Evaluation(
            **vars(tables), modalities=given, said=heard.sentences, model=str(folder or trained.recipe.name)
        )
        if out is not None:
            found.save(out, overwrite=overwrite)
    return found


@recorded
def export(
    model: str | Path | Model | Run,
    out: str | Path,
    *,
    inputs: Literal["features", "raw"] = "features",
    int8: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write a model as one ONNX file with named inputs and outputs, any batch size and length; give its path.

    Args:
        model: A model folder, a run folder, a Hub id, or what ``affuse.load`` or ``affuse.train`` gave.
        out: The file.
        inputs: "features": frozen encoders stay outside; "raw": they are part of the file too.
        int8: 8-bit weights (dynamic quantisation).
        overwrite: Replace a file that affuse did not write, or that was edited since.

    Raises:
        AffuseError: ``out`` is a folder, or the model has a part that ONNX has no form for.

    Examples:
        >>> import affuse
        >>> affuse.export("runs/one", "model.onnx")  # doctest: +SKIP
        PosixPath('model.onnx')
    """
    _check_inputs(inputs)
    path = Path(out)
    if path.is_dir():
        raise AffuseError(f"{path} is a folder; name a file, for example {path / 'model.onnx'}.")
    check_model(model)
    # what is wrong so far is answered at once: these import torch
    from affuse.files.outputs import Outputs
    from affuse.models.finding import files_of
    from affuse.onnx.onnx_file import export_onnx

    folder = folder_of(model)
    outputs = Outputs(path.parent, "export", overwrite=overwrite, deep=False)
    outputs.check([path], [] if folder is None else files_of(folder))
    outputs.make_folder()
    with outputs.writing():
        export_onnx(open_model(model), path, inputs=inputs, int8=int8)
    return path


@recorded
def measure_export(
    model: str | Path | Model | Run,
    corpus: Corpus | str | Path,
    *,
    inputs: Literal["features", "raw"] = "features",
    split: str | Path | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Compare a model with its ONNX files: the same clips through PyTorch, ONNX, and ONNX with 8-bit weights.

    Utterances that the model was trained on are left out. The files are made for this and removed again; nothing is
    written.

    Args:
        model: A model folder, a run folder, a Hub id, or what ``affuse.load`` or ``affuse.train`` gave.
        corpus: A corpus, or its folder.
        inputs: As of ``affuse.export``.
        split: A run's split.csv: its test part is measured.
        cache: Folder of the feature cache; None: $AFFUSE_CACHE, or the user's cache folder.
        progress: What it reports to; None: bars in a terminal or notebook, else nothing.

    Returns:
        A row per network: ``network``, ``megabytes`` of its file, by task ``_acc`` and ``_bacc`` (0 to 1), ``_changed``
        (utterances that PyTorch answers otherwise) and ``_max_difference`` (of the logits), ``n`` and ``ms_per_clip``:
        wall time on this machine, without encoders that are not in the file.

    Raises:
        AffuseError: There is no model, labels that are not the model's, or nothing is left to measure.

    Examples:
        >>> import affuse
        >>> table = affuse.measure_export("runs/one", "corpora/emodb", split="runs/one/split.csv")  # doctest: +SKIP
        >>> table[["network", "megabytes", "emotion_bacc", "ms_per_clip"]]  # doctest: +SKIP
    """
    _check_inputs(inputs)
    check_model(model)
    check_corpus(corpus)
    # what is wrong so far is answered at once: these import torch
    from affuse.onnx.check import measure_export as compare_networks

    trained = open_model(model)
    opened, part = open_corpus(corpus), None if split is None else Path(split)
    with watched(progress) as watching:
        return compare_networks(trained, opened, open_cache(cache), watching, inputs, part)


@recorded
def push(model: str | Path, hub_id: str, *, private: bool = False, self_contained: bool = False) -> str:
    """Upload a model folder to the Hugging Face Hub; give the address of its page.

    Args:
        model: A model folder, or the run folder that holds it.
        hub_id: "owner/name". The token is that of ``hf auth login``, or $HF_TOKEN.
        private: Make a new model private.
        self_contained: Upload the frozen encoders too; mind their licences.

    Raises:
        AffuseError: There is no intact model, no token, or the Hub cannot be reached.

    Examples:
        >>> import affuse
        >>> affuse.push("runs/one", "me/my-model", private=True)  # doctest: +SKIP
        'https://huggingface.co/me/my-model'
    """
    from affuse.models.sharing import push as upload

    return upload(model, hub_id, private=private, self_contained=self_contained)


@recorded
def pull(hub_id: str, out: str | Path) -> Path:
    """Download a model folder from the Hugging Face Hub, check every file of it, and give its path.

    Args:
        hub_id: "owner/name", or "owner/name@revision".
        out: A new folder.

    Raises:
        AffuseError: There is no such model, a file of it was altered, or ``out`` is there already.

    Examples:
        >>> import affuse
        >>> affuse.pull("owner/model", "models/theirs")  # doctest: +SKIP
        PosixPath('models/theirs')
    """
    from affuse.models.sharing import pull as fetch

    return fetch(hub_id, out)


def _check_inputs(inputs: str) -> None:
    if inputs not in ("features", "raw"):
        raise AffuseError(f"{argument('inputs')} takes features or raw, not {inputs!r}.")
