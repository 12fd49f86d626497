"""A model as one ONNX file with named inputs and outputs, any batch size and any length."""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch._dynamo import config as dynamo

import affuse
from affuse.encoders.base import Reading
from affuse.encoders.layer_mix import LayerMix
from affuse.errors import AffuseError, argument
from affuse.files import replacing
from affuse.models.network import Model
from affuse.models.saving import preprocessing
from affuse.onnx.long_conv import (
    long_convolution_nodes,
    mark_long_convolutions,
    replace_long_convolutions,
)
from affuse.onnx.lstm import replace_lstms
from affuse.sequence import FeatureSequence

FORMAT = 1  # of the metadata
OPSET = 18
LIMIT = 2_100_000_000  # bytes of weights: a protocol buffer holds 2 ** 31, and the graph needs some of them
Inputs = Literal["features", "raw"]
MASK = "_mask"


class Port(NamedTuple):
    """One modality's input: what its encoder reads (raw) or gives."""

    step: Reading
    raw: bool


class ExportedNetwork(nn.Module):
    """Tensors in, tensors out, in the order of ``input_names`` and ``output_names``."""

    def __init__(self, model: Model, frozen: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.model = model
        self.frozen = nn.ModuleDict(frozen)
        self.modalities = list(model.widths)
        self.input_names = [name + suffix for name in self.modalities for suffix in ("", MASK)]
        self.output_names = [
            *(f"logits_{task}" for task in model.label_spaces),
            *(f"value_{task}" for task in model.dimensions),
            *(f"labels_{task}" for task in model.label_sets),
            "embedding",
        ]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Values and mask of each modality -> logits, values or probabilities of each task, and the embedding."""
        clips = {}
        for name, values, mask in zip(self.modalities, inputs[::2], inputs[1::2], strict=True):
            # a caller's padding may hold anything, even NaN
            hidden = ~mask.reshape(*mask.shape, *[1] * (values.dim() - 2))
            sequence = FeatureSequence(values.masked_fill(hidden, 0), mask)
            clips[name] = self.frozen[name](sequence) if name in self.frozen else sequence
        output = self.model(clips)
        values = [
            scale.from_unit(output.values[task]).clamp(scale.low, scale.high)
            for task, scale in self.model.dimensions.items()
        ]
        several = [logits.sigmoid() for logits in output.label_logits.values()]
        return (*output.logits.values(), *values, *several, output.embedding)


def export_onnx(model: Model, path: str | Path, *, inputs: Inputs = "features", int8: bool = False) -> Path:
    """Write the network as one ONNX file.

    model:  in evaluation mode, as ``affuse.load`` gives it; stays as it is
    inputs: "features": a modality with a frozen encoder enters as that encoder's features, (batch, steps, width);
            "raw": frozen encoders are part of the file too, and every modality enters as samples, token ids, faces.
            Trained encoders are always part of it.
    int8:   matrix products and LSTMs in 8 bits, with scales found at run time (onnxruntime's dynamic quantisation)

    Inputs, for each modality: ``<name>`` (batch, <name>_steps, ...), and ``<name>_mask`` (batch, <name>_steps) bool,
    True on real steps, which come first; a row that is False throughout is a missing modality. Outputs:
    ``logits_<task>`` (batch, classes), of a regression ``value_<task>`` (batch,) within its range, of several labels at
    once ``labels_<task>`` (batch, labels), the probability of each, and ``embedding``. The metadata hold, as JSON,
    ``labels`` (task -> classes), ``ranges`` (regression -> lowest and highest value) and ``label_sets`` (task ->
    labels) where there are such tasks, ``prediction`` (the labels' ``thresholds`` are there), ``inputs`` (dtype, shape
    and meaning of a step, and the least number of steps) and ``preprocessing``.

    Raises AffuseError where an encoder cannot be exported or is too large for one file, or the packages of
    ``affuse[export]`` are missing.
    """
    _check_packages()
    ports = {name: port_of(model, name, inputs) for name in model.widths}
    network = _prepare(model, ports)
    program = _trace(network, ports)
    mark_long_convolutions(program.model)
    _tidy(program.model)
    program.model.metadata_props.update(metadata(model, ports))
    program.model.producer_name, program.model.producer_version = "affuse", affuse.__version__
    path = Path(path)
    with replacing(path) as temporary:
        program.save(temporary, external_data=False)
        if int8:
            quantise(temporary, temporary)
    return path


def port_of(model: Model, name: str, inputs: Inputs) -> Port:
    """What the exported network takes for one modality."""
    resolved = model.resolved[name]
    raw = name in model.encoders or inputs == "raw"
    if raw:
        resolved.part.check_exportable(resolved.options)
        return Port(resolved.part.exported_reading_of(resolved.options), True)
    adapter = model.adapters[name] if name in model.adapters else None  # noqa: SIM401 (a ModuleDict has no get)
    layers = tuple(adapter.weights.shape) if isinstance(adapter, LayerMix) else ()
    return Port(
        Reading(torch.float32, (*layers, resolved.width), f"features of the encoder {resolved.name}"), False
    )


def metadata(model: Model, ports: Mapping[str, Port]) -> dict[str, str]:
    """What a program needs to know to use the file, as strings of JSON."""
    known: dict[str, Any] = {
        "labels": model.label_spaces,
        "inputs": {
            name: {
                "dtype": str(port.step.dtype).removeprefix("torch."),
                "step": list(port.step.shape),
                "meaning": port.step.meaning,
                "least_steps": port.step.least,
                "raw": port.raw,
            }
            for name, port in ports.items()
        },
        "preprocessing": preprocessing(model.recipe, model.recipe),
        # temperatures of the logits and the confidence below which an answer is unsure, fitted on validation
        "prediction": model.defaults.model_dump(exclude={"seen"}),
    }
    if model.dimensions:
        known["ranges"] = {task: list(scale) for task, scale in model.dimensions.items()}
    if model.label_sets:
        known["label_sets"] = model.label_sets
    for about in known["preprocessing"]["modalities"].values():  # names, not this machine's folders
        about["options"] = {
            key: Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value
            for key, value in about["options"].items()
        }
    told = {key: json.dumps(value, ensure_ascii=False) for key, value in known.items()}
    return {
        "affuse_format": str(FORMAT),
        "affuse_version": affuse.__version__,
        "name": model.recipe.name,
        **told,
    }


def quantise(source: Path, target: Path) -> None:
    """8-bit weights for matrix products and LSTMs; convolutions, long ones too, stay float32.

    The 8-bit form of a short convolution is slower on CPUs; in a long one's transforms it would ruin the result.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)  # it advises a preparation that dynamic shapes defeat
    try:
        model = onnx.load(source)
        # shapes in between were written for products as they are; the quantiser turns Gemm into MatMul
        del model.graph.value_info[:]
        quantize_dynamic(
            model,
            target,
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["MatMul", "LSTM"],
            nodes_to_exclude=long_convolution_nodes(model),
        )
    finally:
        logging.getLogger().setLevel(level)


def _prepare(model: Model, ports: Mapping[str, Port]) -> ExportedNetwork:
    """A copy on the CPU, with the frozen encoders that are to be part of the file."""
    frozen = {}
    for name, port in ports.items():
        if port.raw and name not in model.encoders:
            frozen[name] = model.resolved[name].make().exportable()
    traced = copy.deepcopy(model).cpu()
    for name, encoder in list(traced.encoders.items()):
        traced.encoders[name] = encoder.exportable()  # type: ignore[operator]
    network = ExportedNetwork(traced, frozen).eval().requires_grad_(False)
    replace_lstms(network)
    replace_long_convolutions(network)
    size = sum(tensor.nbytes for tensor in network.state_dict().values())
    if size > LIMIT:
        raise AffuseError(
            f"The network's weights are {size / 1e9:.1f} GB and one ONNX file holds {LIMIT / 1e9:.1f} GB; "
            f"take a smaller encoder, or freeze it and export with {argument('inputs', 'features')}."
        )
    return network


def _trace(network: ExportedNetwork, ports: Mapping[str, Port]) -> Any:
    example, free = [], []
    for i, (name, port) in enumerate(ports.items()):
        steps = 12 * port.step.least + 2 * i  # lengths of their own, so that none is taken for another
        shape = (3, steps, *port.step.shape)
        example += [torch.zeros(shape, dtype=port.step.dtype), torch.ones(shape[:2], dtype=torch.bool)]
        free += [{0: "batch", 1: f"{name}_steps"}] * 2
    with _exporting():
        return torch.onnx.export(
            network,
            tuple(example),
            dynamo=True,
            opset_version=OPSET,
            input_names=network.input_names,
            output_names=network.output_names,
            dynamic_shapes=(tuple(free),),
            external_data=False,
            verbose=False,
        )


def _tidy(graph_model: Any) -> None:
    """No traces of this machine's files, and no inner value with the name of an input or output.

    The exporter notes the source line of every node, and calls an embedding table's result "embedding" too, which
    may have become a constant (Whisper's positions).
    """
    graph = graph_model.graph
    public = [*graph.inputs, *graph.outputs]
    taken = {value.name for value in public}
    graph_model.metadata_props.clear()
    for node in graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
    inner = [*graph.initializers.values(), *(value for node in graph.all_nodes() for value in node.outputs)]
    for value in inner:
        value.metadata_props.clear()
        if value.name in taken and not any(value is other for other in public):
            value.name = f"inner_{value.name}"


@contextmanager
def _exporting() -> Generator[None]:
    """No fused attention kernels, which have no ONNX form; none of the exporter's notes to its own makers.

    Nor torch's memory of the shapes that operators give: with free lengths hardly one comes twice, and every new one is
    computed once more to check what was remembered.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), dynamo.patch(fake_tensor_cache_enabled=False):
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _check_packages() -> None:
    from importlib.util import find_spec

    for package in ("onnx", "onnxscript", "onnxruntime"):
        if find_spec(package) is None:
            raise AffuseError(
                f"The package {package} is not installed; export needs: pip install 'affuse[export]'."
            )
