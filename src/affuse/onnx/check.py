"""What a file costs: the same clips through PyTorch, ONNX and ONNX in 8 bits."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from affuse.errors import argument
from affuse.evaluation.metrics import measure
from affuse.media.mel import RATE
from affuse.onnx.onnx_file import MASK, Inputs, export_onnx, port_of, quantise
from affuse.recipe.kinds import refuse_kinds
from affuse.sequence import FeatureSequence, pad

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus, Utterance
    from affuse.models.network import Model
    from affuse.progress import Progress
    from affuse.training.cache import FeatureCache
    from affuse.training.data import Clips

_BATCH = 16
Run = Callable[[dict[str, FeatureSequence]], dict[str, np.ndarray]]


def measure_export(
    model: Model,
    corpus: Corpus,
    cache: FeatureCache,
    progress: Progress,
    inputs: Inputs = "features",
    split: Path | None = None,
) -> pd.DataFrame:
    """Run a corpus's labelled utterances through PyTorch, the ONNX file and the ONNX file with 8-bit weights.

    Args:
        model: What is exported.
        corpus: Utterances that the model was trained on are left out.
        cache: Of features.
        progress: Is told of features and clips, and of what was left out.
        inputs: What the file takes; see ``export_onnx``.
        split: A run's ``split.csv``, of which the test part is measured.

    Returns:
        As ``affuse.measure_export`` has it.

    Raises:
        AffuseError: If no clip can be used.
    """
    from affuse.training.data import batches
    from affuse.training.runfolder import SPLIT

    refuse_kinds("measured as ONNX", regression=model.dimensions, multilabel=model.label_sets)
    clips = _open_clips(model, corpus, cache, progress, inputs, split)
    if split is None and model.defaults.seen is None:
        progress.say(
            "All of the corpus is measured, perhaps with utterances that the model was trained on; "
            f"{argument('split', f'RUN/{SPLIT}')} measures the test part."
        )
    with tempfile.TemporaryDirectory() as temporary:
        files = {name: Path(temporary) / f"{name}.onnx" for name in ("ONNX", "ONNX int8")}
        quantise(export_onnx(model, files["ONNX"], inputs=inputs), files["ONNX int8"])
        runs: dict[str, Run] = {"PyTorch": _pytorch(model, inputs)}
        runs |= {name: _onnx(file, model, inputs) for name, file in files.items()}
        sizes = {name: file.stat().st_size / 1e6 for name, file in files.items()}
        logits = {name: {task: np.zeros((len(clips), len(space))) for task, space in model.label_spaces.items()}
                  for name in runs}  # fmt: skip
        seconds = dict.fromkeys(runs, 0.0)
        advance = progress.start("clips", len(clips))
        for batch in batches(clips, _BATCH):
            for name, run in runs.items():
                began = time.perf_counter()
                found = run(batch.clips)
                seconds[name] += time.perf_counter() - began
                for task, values in found.items():
                    logits[name][task][batch.index.numpy()] = values
            for _ in range(len(batch.index)):
                advance()
    sizes["PyTorch"] = 4e-6 * sum(p.numel() for p in model.parameters())
    return pd.DataFrame(
        [_row(name, logits, clips, model.label_spaces, sizes[name], seconds[name]) for name in runs]
    )


def _open_clips(
    model: Model, corpus: Corpus, cache: FeatureCache, progress: Progress, inputs: Inputs, split: Path | None
) -> Clips:
    """The labelled utterances as the exported network takes them."""
    from affuse.training.evaluate.selection import open_selection, select_utterances

    recipe = model.recipe
    if inputs == "raw":  # what trained encoders are given is what is read
        trained = {
            name: part.model_copy(update={"frozen": False}) for name, part in recipe.modalities.items()
        }
        recipe = recipe.model_copy(update={"modalities": trained})
    chosen = select_utterances(
        model, corpus, progress, split=split, cure="rename them in the corpus's own table"
    )
    clips, _ = open_selection(model, recipe, chosen, cache, progress)
    rows = {one.id: one for one in chosen.corpus.utterances()}
    clips.sources |= {name: _Samples(rows) for name in _from_samples(model, inputs)}
    return clips


class _Samples:
    """id -> (samples,) float32 at the rate that files take, for networks that make log-mels of them."""

    def __init__(self, rows: Mapping[str, Utterance]) -> None:
        self.rows = rows

    @property
    def ids(self) -> list[str]:
        return list(self.rows)

    def load(self, id: str) -> Tensor | None:
        one = self.rows[id]
        if one.audio is None:
            return None
        return torch.from_numpy(one.waveform(RATE))


def _from_samples(model: Model, inputs: Inputs) -> dict[str, Any]:
    """Modality -> its encoder, where the file reads samples, of which affuse's own reading makes something first."""
    found: dict[str, Any] = {}
    for name, resolved in model.resolved.items():
        exported = resolved.part.exported_reading_of(resolved.options)
        if port_of(model, name, inputs).raw and exported != resolved.reading:
            found[name] = model.encoders[name] if name in model.encoders else resolved.make().eval()
    return found


def _pytorch(model: Model, inputs: Inputs) -> Run:
    readers = _from_samples(model, inputs)
    frozen: dict[str, Any] = {}
    for name, resolved in model.resolved.items():
        if inputs == "raw" and name not in model.encoders:
            frozen[name] = readers[name] if name in readers else resolved.make().eval()

    def read(name: str, clips: FeatureSequence) -> FeatureSequence:
        if name not in readers:
            return clips
        rows = zip(clips.values, clips.mask, strict=True)
        return pad([readers[name].from_samples(v[m].numpy()) if bool(m.any()) else None for v, m in rows])

    def run(clips: dict[str, FeatureSequence]) -> dict[str, np.ndarray]:
        clips = {name: read(name, one) for name, one in clips.items()}
        with torch.inference_mode():
            output = model({name: frozen[name](c) if name in frozen else c for name, c in clips.items()})
        return {task: logits.numpy() for task, logits in output.logits.items()}

    return run


def _onnx(file: Path, model: Model, inputs: Inputs) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session: Any = onnxruntime.InferenceSession(
        file.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    steps = {name: port_of(model, name, inputs).step for name in model.widths}

    def run(clips: dict[str, FeatureSequence]) -> dict[str, np.ndarray]:
        count = next(iter(clips.values())).mask.shape[0]
        fed = {}
        for name in model.widths:
            if name in clips:
                fed |= {name: clips[name].values.numpy(), name + MASK: clips[name].mask.numpy()}
            else:
                step = steps[name]
                fed[name] = torch.zeros(count, step.least, *step.shape, dtype=step.dtype).numpy()
                fed[name + MASK] = np.zeros((count, step.least), bool)
        found = session.run([f"logits_{task}" for task in model.label_spaces], fed)
        return dict(zip(model.label_spaces, found, strict=True))

    return run


def _row(
    name: str,
    logits: Mapping[str, Mapping[str, np.ndarray]],
    clips: Clips,
    spaces: Mapping[str, list[str]],
    megabytes: float,
    seconds: float,
) -> dict[str, Any]:
    row: dict[str, Any] = {"network": name, "megabytes": round(megabytes, 2)}
    for task, space in spaces.items():
        labels = clips.labels[task].numpy()
        known = labels >= 0
        called = logits[name][task].argmax(axis=1)
        if known.any():
            found = measure(labels[known], called[known], space)
            row |= {f"{task}_acc": round(found.acc, 4), f"{task}_bacc": round(found.bacc, 4)}
        exact = logits["PyTorch"][task]
        row[f"{task}_changed"] = int((called != exact.argmax(axis=1)).sum())
        row[f"{task}_max_difference"] = float(f"{np.abs(logits[name][task] - exact).max():.1e}")
    return row | {"n": len(clips), "ms_per_clip": round(1000 * seconds / len(clips), 2)}
