"""The exported long convolution in onnxruntime against float64, PyTorch and its own direct form."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnxruntime import quantization
from torch import nn
from torch.nn import functional

import affuse
from affuse.encoders.long_conv import LongConv1d
from affuse.models.network import Model
from affuse.onnx.long_conv import OnnxLongConv, long_convolution_nodes, replace_long_convolutions
from affuse.onnx.onnx_file import export_onnx, quantise
from affuse.recipe import Recipe
from affuse.sequence import FeatureSequence, pad

EMODB = Path(__file__).parents[2] / ".." / "shared" / "data" / "emodb"


def convolution(
    channels: tuple[int, int], taps: int, padding: tuple[int, int], groups: int = 1, bias: bool = True
) -> LongConv1d:
    torch.manual_seed(taps)
    return LongConv1d(*channels, taps, padding, groups=groups, bias=bias).eval().requires_grad_(False)


def exact(conv: LongConv1d, x: torch.Tensor) -> torch.Tensor:
    """By the definition, in float64."""
    bias = None if conv.bias is None else conv.bias.double()
    padded = functional.pad(x.double(), conv.padding)
    return functional.conv1d(padded, conv.weight.double(), bias, groups=conv.groups)


def assert_close(got: np.ndarray | torch.Tensor, wanted: torch.Tensor) -> None:
    """To 1e-6 of the largest value."""
    got = torch.as_tensor(got)
    assert got.dtype == torch.float32
    assert got.shape == wanted.shape
    assert (got - wanted).abs().max() < 1e-6 * wanted.abs().max()


# channels in and out, taps, padding, groups, bias
SHAPES = {
    "like the paper's": ((4, 4), 400, (200, 199), 1, True),
    "channels change": ((3, 5), 33, (4, 28), 1, True),
    "no padding, no bias": ((4, 6), 257, (0, 0), 2, False),
    "padding after": ((8, 4), 256, (0, 300), 4, True),
    "every channel alone": ((6, 6), 50, (49, 0), 6, True),
    "a prime number of taps": ((2, 2), 97, (48, 48), 1, True),
    "one tap": ((2, 3), 1, (0, 0), 1, True),
}


@pytest.fixture(scope="module", params=SHAPES)
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LongConv1d, OnnxLongConv, onnxruntime.InferenceSession]:
    """The example it is traced with: 3 clips of 1234 steps."""
    conv = convolution(*SHAPES[request.param])
    blocked = OnnxLongConv(conv).eval()
    path = tmp_path_factory.mktemp("conv") / "conv.onnx"
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    torch.onnx.export(
        blocked, (torch.zeros(3, conv.in_channels, 1234),), path, dynamo=True, opset_version=18, input_names=["x"],
        dynamic_shapes=(({0: "batch", 2: "steps"}),), external_data=False, verbose=False,
    )  # fmt: skip
    return conv, blocked, onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize(
    "size", ["one step", "shorter than the kernel", "one hop", "one more", "many blocks"]
)
def test_every_shape_equals_the_definition(
    exported: tuple[LongConv1d, OnnxLongConv, Any], batch: int, size: str
) -> None:
    conv, blocked, session = exported
    lost = conv.kernel_size - 1 - sum(conv.padding)  # input steps more than output steps
    steps = {
        "one step": max(1, 1 + lost),
        "shorter than the kernel": max(1 + lost, conv.kernel_size // 3, 1),
        "one hop": blocked.hop + lost,
        "one more": blocked.hop + lost + 1,
        "many blocks": 5 * blocked.hop + 17,
    }[size]
    steps = max(1, steps)
    x = torch.randn(batch, conv.in_channels, steps)
    wanted = exact(conv, x)
    assert_close(blocked(x), wanted)
    assert_close(session.run(None, {"x": x.numpy()})[0], wanted)
    assert_close(conv(x), wanted)


def test_it_is_as_exact_as_the_direct_form_at_the_papers_size() -> None:
    conv = convolution((40, 40), 4000, (2000, 1999))
    x = torch.randn(1, 40, 9000)
    windows = functional.pad(x, conv.padding).double().unfold(-1, 4000, 1)[0, :, ::301]  # (40, steps, 4000)
    wanted = torch.einsum("cts,ocs->ot", windows, conv.weight.double()) + conv.bias.double()[:, None]
    assert_close(OnnxLongConv(conv)(x)[0, :, ::301], wanted)


def test_a_large_offset_does_not_leak_into_other_steps() -> None:
    """Circular wrap-around would: steps that only silence reaches are the bias, whatever stands elsewhere."""
    conv = convolution((2, 2), 100, (50, 49))
    x = torch.zeros(1, 2, 1000)
    x[..., 500:520] = 1e4
    y = OnnxLongConv(conv)(x) - conv.bias[:, None]
    assert y[..., 500:520].abs().max() > 1e3
    for silent in (slice(0, 450), slice(570, 1000)):
        assert y[..., silent].abs().max() < 0.02  # float32's rounding of 1e4 within a block


def test_the_module_is_replaced_wherever_it_is() -> None:
    net = nn.Sequential(
        nn.Sequential(convolution((1, 1), 9, (4, 4))), convolution((1, 2), 5, (0, 0)), nn.Conv1d(2, 2, 3)
    )
    x = torch.randn(2, 1, 60)
    with torch.no_grad():
        wanted = net(x)
        replace_long_convolutions(net)
        torch.testing.assert_close(net(x), wanted, rtol=0, atol=1e-6)
    assert [type(m).__name__ for m in (net[0][0], net[1], net[2])] == [
        "OnnxLongConv",
        "OnnxLongConv",
        "Conv1d",
    ]


SOUND = {
    "rate": 1000,
    "frames_per_second": 5,
    "filters": 8,
    "channel_pool": 2,
    "short_kernel": 8,
    "long_kernel": 400,
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path, Path]:
    """A model of the waveform encoder; its file in float32 and in 8 bits."""
    torch.manual_seed(0)
    recipe = Recipe.parse(
        {
            "name": "small",
            "tasks": {"emotion": {}, "gender": {}},
            "modalities": {"audio": {"encoder": "waveform", "frozen": False, "options": SOUND}},
            "fusion": {"name": "lstm", "options": {"hidden": 12, "layers": 2}},
        }
    )
    model, folder = affuse.build(recipe).eval(), tmp_path_factory.mktemp("small")
    full, int8 = export_onnx(model, folder / "full.onnx"), folder / "int8.onnx"
    quantise(full, int8)
    return model, full, int8


def clips_of(lengths: list[int]) -> FeatureSequence:
    torch.manual_seed(len(lengths))
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return FeatureSequence(torch.randn(mask.shape) * mask, mask)


def outputs(path: Path, clips: FeatureSequence) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return [
        np.asarray(one)
        for one in session.run(None, {"audio": clips.values.numpy(), "audio_mask": clips.mask.numpy()})
    ]


def by_pytorch(model: Model, clips: FeatureSequence) -> list[np.ndarray]:
    with torch.no_grad():
        output = model({"audio": clips})
    return [value.numpy() for value in (*output.logits.values(), output.embedding)]


LENGTHS = ([3000, 0, 777, 1400], [200], [6001, 6200])


@pytest.mark.parametrize("lengths", LENGTHS)
def test_the_waveform_network_gives_pytorchs_numbers(
    small: tuple[Model, Path, Path], lengths: list[int]
) -> None:
    model, full, _ = small
    clips = clips_of(lengths)
    for got, wanted in zip(outputs(full, clips), by_pytorch(model, clips), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)


def test_a_batch_equals_its_clips_alone(small: tuple[Model, Path, Path]) -> None:
    _, full, _ = small
    clips = clips_of([3000, 777, 1400])
    together = outputs(full, clips)
    for i, length in enumerate((3000, 777, 1400)):
        alone = outputs(
            full, FeatureSequence(clips.values[i : i + 1, :length], clips.mask[i : i + 1, :length])
        )
        for whole, one in zip(together, alone, strict=True):
            np.testing.assert_allclose(whole[i : i + 1], one, rtol=0, atol=1e-5)


@pytest.mark.parametrize("constant_only", [True, False])
def test_8_bits_leave_the_long_convolution_alone(
    small: tuple[Model, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, constant_only: bool
) -> None:
    """Also where the quantiser takes every product, not only those whose second factor is a constant."""
    every: dict[str, Any] = {"extra_options": {"MatMulConstBOnly": constant_only}}
    monkeypatch.setattr(quantization, "quantize_dynamic", partial(quantization.quantize_dynamic, **every))
    _, full, _ = small
    quantise(full, tmp_path / "int8.onnx")
    before, after = (onnx.load(path) for path in (full, tmp_path / "int8.onnx"))
    kept = set(long_convolution_nodes(before))
    products = [n.name for n in before.graph.node if n.op_type == "MatMul" and n.name in kept]
    assert len(products) == 5 + 2  # two products forward, the spectra's, two back; two for the spectra
    assert set(long_convolution_nodes(after)) == kept
    left = {n.name for n in after.graph.node if n.op_type == "MatMul"}
    assert left >= set(products)
    assert constant_only or left == set(products)
    assert any("Integer" in n.op_type or "Dynamic" in n.op_type for n in after.graph.node)


def test_8_bits_change_only_what_follows_the_encoder(small: tuple[Model, Path, Path]) -> None:
    """The encoder's features, taken out of both files, are the same to the bit."""
    _, full, int8 = small
    clips = clips_of([3000, 777])
    found = []
    for path in (full, int8):
        file = onnx.load(path)
        last = [n for n in file.graph.node if n.name.startswith("long_conv/")][-1].output[0]
        file.graph.output.append(onnx.helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, None))
        inside = path.with_name(f"inside_{path.name}")
        onnx.save(file, inside)
        found.append(outputs(inside, clips))
    (*exact_outputs, exact_features), (*rounded_outputs, features) = found
    assert exact_features.shape == (2, SOUND["filters"], 1500)
    np.testing.assert_array_equal(features, exact_features)
    assert any((a != b).any() for a, b in zip(exact_outputs, rounded_outputs, strict=True))


@pytest.mark.skipif(not EMODB.is_dir(), reason="../shared/data/emodb is not there")
def test_real_clips_at_the_papers_size(tmp_path: Path) -> None:
    """UM-dynamic-A with kernels of 4000, untrained, on three EmoDB clips; the file holds kernels, not their spectra."""
    from affuse.corpora.corpus import Utterance

    torch.manual_seed(0)
    model = affuse.build("um-dynamic-a").eval()
    path = export_onnx(model, tmp_path / "model.onnx")
    numbers = sum(value.numel() for value in model.state_dict().values())
    assert path.stat().st_size < 4 * numbers + 5e6
    encoder = model.encoders["audio"]
    sounds = sorted((EMODB / "audio").glob("*.flac"))[:300:100]
    clips = pad([encoder.read(Utterance(sound.stem, audio=sound)) for sound in sounds])
    for got, wanted in zip(outputs(path, clips), by_pytorch(model, clips), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)
