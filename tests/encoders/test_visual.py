"""The visual encoder: counts, another hand's ResNet with the same weights, batches against clips, and its clips."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from affuse.corpora.corpus import Utterance
from affuse.encoders.augmentation import augment
from affuse.encoders.resnet import from_torchvision, make_network, pool_before_relu, widths
from affuse.encoders.visual import VisualEncoder, VisualOptions
from affuse.errors import AffuseError, ClipError
from affuse.parts.registry import get
from affuse.sequence import FeatureSequence, pad
from video_files import grey, write_video

SMALL: dict[str, Any] = {"network": "resnet10", "base_width": 16, "size": 64}


def make_clips(*lengths: int, size: int = 64) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randint(0, 256, (n, size, size, 3), dtype=torch.uint8, generator=generator) for n in lengths
    ]


# ---- a ResNet in torchvision's words, from the paper's table: He et al. 2016, table 1 and figure 5


class Block(nn.Module):
    def __init__(self, before: int, inner: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        after = inner * 4 if bottleneck else inner
        if bottleneck:
            self.conv1 = nn.Conv2d(before, inner, 1, bias=False)
            self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False)
            self.conv3 = nn.Conv2d(inner, after, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(after)
        else:
            self.conv1 = nn.Conv2d(before, inner, 3, stride, 1, bias=False)
            self.conv2 = nn.Conv2d(inner, inner, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(inner), nn.BatchNorm2d(inner)
        self.bottleneck = bottleneck
        self.downsample = (
            nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
            if stride > 1 or before != after
            else None
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y))
        if self.bottleneck:
            y = self.bn3(self.conv3(y.relu()))
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class PlainResNet(nn.Module):
    def __init__(self, blocks: tuple[int, ...], bottleneck: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        before = 64
        for stage, count in enumerate(blocks):
            inner = 64 * 2**stage
            layer = []
            for block in range(count):
                layer.append(Block(before, inner, 2 if stage and not block else 1, bottleneck))
                before = inner * 4 if bottleneck else inner
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layer))
        self.fc = nn.Linear(before, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
        return x.mean(dim=(2, 3))


def scramble(network: nn.Module) -> nn.Module:
    """Random statistics and scales of batch normalisation too, or their mapping would not be seen."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.running_var):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
            for tensor in (module.bias.data, module.running_mean):
                tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
    return network.eval()


@pytest.mark.parametrize(
    ("name", "blocks", "bottleneck", "suffix"),
    [
        ("resnet50", (3, 4, 6, 3), True, ".pth"),
        ("resnet18", (2, 2, 2, 2), False, ".safetensors"),
    ],
)
def test_torchvision_weights_give_torchvisions_features(
    tmp_path: Path, name: str, blocks: tuple[int, int, int, int], bottleneck: bool, suffix: str
) -> None:
    torch.manual_seed(0)
    plain = scramble(PlainResNet(blocks, bottleneck))
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": {f"module.{k}": v for k, v in plain.state_dict().items()}}, path)
    else:
        state = {k: v for k, v in plain.state_dict().items() if not k.endswith("num_batches_tracked")}
        save_file(state, path)
    encoder = VisualEncoder(VisualOptions(network=name, weights=str(path))).eval()
    [clip] = make_clips(2, size=96)
    with torch.no_grad():
        got = encoder(pad([clip])).values[0]
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        want = plain(((clip / 255 - mean) / deviation).permute(0, 3, 1, 2))
    assert got.shape == (2, widths(name)[-1])
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4 * float(want.abs().max()))
    if name == "resnet50":
        assert sum(p.numel() for p in encoder.parameters()) == 23_508_032


def test_weights_from_a_transformers_folder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = scramble(make_network("resnet10", 16))
    network.save_pretrained(tmp_path)
    options = SMALL | {"weights": str(tmp_path)}
    encoder = VisualEncoder(VisualOptions(**options)).eval()
    for key, tensor in network.state_dict().items():
        assert torch.equal(encoder.network.state_dict()[key], tensor)
    assert encoder.scaling == "imagenet"
    with pytest.raises(AffuseError, match=r"but the recipe asks for resnet18.*set network: resnet10"):
        VisualEncoder(VisualOptions(**(options | {"network": "resnet18"})))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (None, "There is no weight file"),
        (b"junk", "not a state dict that can be read safely"),
        ({"epoch": 3}, "does not hold a state dict"),
        ({"conv1.weight": torch.zeros(64, 3, 7, 7)}, r"it lacks embedder.* and \d+ more"),
        ("deeper", "has the unknown encoder.stages.0.layers.1"),
        ("wider", "has another shape of embedder.embedder.convolution.weight"),
    ],
)
def test_bad_weights_are_one_sentence(
    tmp_path: Path, state: bytes | dict[str, int | torch.Tensor] | str | None, message: str
) -> None:
    path = tmp_path / "w.pth"
    if isinstance(state, bytes):
        path.write_bytes(state)
    elif state == "deeper":
        torch.save(PlainResNet((2, 2, 2, 2), False).state_dict(), path)
    elif state == "wider":
        own = PlainResNet((1, 1, 1, 1), False).state_dict()
        own["conv1.weight"] = torch.zeros(32, 3, 7, 7)
        torch.save(own, path)
    elif state is not None:
        torch.save(state, path)
    with pytest.raises(AffuseError, match=message) as caught:
        VisualEncoder(VisualOptions(network="resnet10", weights=str(path)))
    assert "\n" not in str(caught.value)


def test_unknown_keys_stay_as_they_are() -> None:
    assert set(from_torchvision({"fc.weight": torch.zeros(1), "head.x": torch.zeros(1)})) == {"head.x"}


def test_the_first_relu_after_its_pooling_changes_no_digit() -> None:
    torch.manual_seed(0)
    plain = scramble(make_network("resnet10", 16)).train()
    pooled = copy.deepcopy(plain)
    pool_before_relu(pooled)
    assert list(pooled.state_dict()) == list(plain.state_dict())
    x = torch.rand(3, 3, 64, 64)
    x[1] = 0.5  # a picture of one colour: every maximum is a tie
    found = []
    for network in (plain, pooled):
        y = network(x).last_hidden_state
        y.square().sum().backward()
        found.append([y, *network.state_dict().values(), *(p.grad for p in network.parameters())])
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def test_colours_from_0_to_1_are_scaled_once() -> None:
    encoder = VisualEncoder(VisualOptions(**SMALL)).eval()
    [clip] = make_clips(2)
    with torch.no_grad():
        got = encoder(pad([clip])).values[0]
        maps = encoder.network((clip / 255).permute(0, 3, 1, 2)).last_hidden_state
    assert encoder.scaling == "unit"
    torch.testing.assert_close(got, maps.mean(dim=(2, 3)), rtol=1e-6, atol=1e-6)


# ---- the encoder


def test_it_is_registered_and_knows_its_width_without_weights() -> None:
    assert get("encoders", "resnet50") is VisualEncoder
    assert VisualEncoder.width_of(VisualOptions(weights="nobody/nothing")) == 2048
    assert VisualEncoder.width_of(VisualOptions(network="resnet18", base_width=16, stages=3)) == 64


@pytest.mark.parametrize("options", [{}, {"network": "resnet26", "stages": 3}, {"channels_last": False}])
def test_a_batch_equals_its_clips_one_by_one(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    encoder = VisualEncoder(VisualOptions(**(SMALL | options)))
    scramble(encoder.network)
    encoder.eval()
    clips = make_clips(3, 7, 1)
    batch = pad([clips[0], None, clips[1], clips[2]])
    batch.values[0, 3:] = 255  # whatever lies in the padding
    with torch.no_grad():
        out = encoder(batch)
        assert out.values.shape == (4, 7, encoder.width)
        assert not out.mask[1].any()
        assert not out.values[~out.mask].any()
        for row, clip in ((0, clips[0]), (2, clips[1]), (3, clips[2])):
            alone = encoder(pad([clip])).values[0]
            scale = float(alone.abs().max())
            torch.testing.assert_close(out.values[row, : len(clip)], alone, rtol=1e-5, atol=1e-5 * scale)


def test_training_never_sees_padding() -> None:
    """Statistics of batch normalisation are those of the real frames, however much padding there is."""
    torch.manual_seed(0)
    encoder = VisualEncoder(VisualOptions(**SMALL)).train()
    clips = make_clips(2, 5)
    state = {k: v.clone() for k, v in encoder.state_dict().items()}
    out = encoder(pad(clips))
    running = {k: v.clone() for k, v in encoder.state_dict().items() if "running" in k}
    encoder.load_state_dict(state)
    one = encoder(FeatureSequence(torch.cat(clips)[None], torch.ones(1, 7, dtype=torch.bool)))
    torch.testing.assert_close(out.values[out.mask], one.values[0], rtol=1e-4, atol=1e-4)
    for key, value in running.items():
        torch.testing.assert_close(encoder.state_dict()[key], value)


def test_a_batch_without_any_clip() -> None:
    encoder = VisualEncoder(VisualOptions(**SMALL))
    nothing = FeatureSequence(
        torch.zeros(2, 1, 64, 64, 3, dtype=torch.uint8), torch.zeros(2, 1, dtype=torch.bool)
    )
    out = encoder(nothing)
    assert out.values.shape == (2, 1, encoder.width)
    assert not out.values.any()


@pytest.mark.parametrize(
    ("scaling", "weights", "low", "high"),
    [
        ("auto", False, 0.0, 1.0),
        ("unit", False, 0.0, 1.0),
        ("raw255", False, 0.0, 255.0),
        ("imagenet", False, -2.118, 2.64),
    ],
)
def test_scaling(scaling: str, weights: bool, low: float, high: float) -> None:
    encoder = VisualEncoder(VisualOptions(**SMALL, scaling=scaling))
    seen = []
    encoder.network.embedder.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    black_and_white = torch.stack([torch.zeros(64, 64, 3), torch.full((64, 64, 3), 255.0)]).to(torch.uint8)
    encoder.eval()(pad([black_and_white]))
    assert float(seen[0].min()) == pytest.approx(low, abs=1e-3)
    assert float(seen[0].max()) == pytest.approx(high, abs=1e-3)


def test_gradients_and_bfloat16() -> None:
    torch.manual_seed(0)
    clips = pad(make_clips(3, 4))
    encoder = VisualEncoder(VisualOptions(**SMALL)).train()
    half = VisualEncoder(VisualOptions(**SMALL, bf16=True)).train()
    half.load_state_dict(encoder.state_dict())
    outputs = []
    for network in (encoder, half):
        out = network(clips).values
        out.square().mean().backward()
        outputs.append((out.detach(), network.network.embedder.embedder.convolution.weight.grad))
    assert outputs[1][0].dtype == torch.float32
    (exact, gradient), (rounded, rounded_gradient) = outputs
    assert float((exact - rounded).norm() / exact.norm()) < 0.05
    assert float(nn.functional.cosine_similarity(gradient.flatten(), rounded_gradient.flatten(), dim=0)) > 0.9
    assert float(outputs[0][1].norm()) > 0


# ---- augmentation


def test_augmentation_is_one_draw_per_clip_and_stays_in_range() -> None:
    torch.manual_seed(0)
    still = torch.rand(1, 3, 32, 32).expand(6, -1, -1, -1)
    clip_n = torch.tensor([0, 0, 0, 1, 1, 1])
    out = augment(still.contiguous(), clip_n)
    assert out.shape == still.shape
    assert float(out.min()) >= 0
    assert float(out.max()) <= 1
    assert torch.equal(out[0], out[1])
    assert torch.equal(out[3], out[5])
    assert not torch.allclose(out[0], out[3])


def test_augmentation_mirrors_half_of_the_clips_and_never_turns_one_upside_down() -> None:
    torch.manual_seed(0)
    picture = torch.zeros(200, 3, 16, 16)
    picture[:, :, :8, :8] = 1.0  # the upper left quarter
    out = augment(picture, torch.arange(200))
    left, right, low = out[:, 0, 2, 2], out[:, 0, 2, -3], out[:, 0, -3]
    mirrored = right > left
    assert 70 < int(mirrored.sum()) < 130
    assert float(low.max()) < 0.5


def test_training_augments_and_evaluation_does_not() -> None:
    torch.manual_seed(0)
    encoder = VisualEncoder(VisualOptions(**SMALL, augment=True))
    seen = []
    encoder.network.embedder.register_forward_pre_hook(lambda module, args: seen.append(args[0].clone()))
    clips = pad(make_clips(2))
    for mode, seed in ((True, 1), (True, 1), (True, 2), (False, 1), (False, 2)):
        torch.manual_seed(seed)
        encoder.train(mode)(clips)
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])
    assert torch.equal(seen[3], seen[4])
    torch.testing.assert_close(seen[3], clips.values[0].permute(0, 3, 1, 2) / 255)


# ---- reading


def test_read_takes_the_utterances_half_times_and_cap(tmp_path: Path) -> None:
    picture = np.concatenate([grey(60, 48, 64), grey(180, 48, 64)], axis=1)
    path = write_video(tmp_path / "a.avi", [picture] * 50)
    encoder = VisualEncoder(VisualOptions(**SMALL, seconds=1.0, frames_per_second=5))
    utterance = Utterance("u", video=path, side="right", start=9.0, end=9.9, video_start=0.1, video_end=1.8)
    clip = encoder.read(utterance)
    assert clip.shape == (5, 64, 64, 3)
    assert clip.dtype == torch.uint8
    assert abs(float(clip.float().mean()) - 180) < 4
    assert encoder.read(Utterance("u", audio=path)) is None
    with pytest.raises(ClipError, match=r"^u: .*less than one frame"):
        encoder.read(Utterance("u", video=path, video_start=0.0, video_end=0.1))


def test_a_short_video_is_told(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", [grey(60)] * 25)
    encoder = VisualEncoder(VisualOptions(**SMALL, crop="window"))
    clip, fault = encoder.read_with_fault(Utterance("u7", video=path, start=0.0, end=3.0))
    assert clip is not None
    assert len(clip) == 25
    assert "ends 2.00 s before the utterance does; the frames before it are used" in fault
    assert encoder.read_with_fault(Utterance("u7", video=path, start=0.0, end=1.0))[1] == ""


def test_clips_are_shared_by_networks_but_not_by_crops(tmp_path: Path) -> None:
    base = VisualEncoder(VisualOptions(**SMALL)).reading_key
    assert VisualEncoder(VisualOptions(**(SMALL | {"base_width": 32, "augment": True}))).reading_key == base
    assert VisualEncoder(VisualOptions(**(SMALL | {"size": 72}))).reading_key != base
    assert VisualEncoder(VisualOptions(**SMALL, frames_per_second=5)).reading_key != base
    assert VisualEncoder(VisualOptions(**SMALL, seconds=None)).reading_key != base
    (tmp_path / "d.onnx").write_bytes(b"one")
    detect = VisualEncoder(VisualOptions(**SMALL, crop="detect", detector=str(tmp_path / "d.onnx")))
    assert detect.reading_key != base
    here = Utterance("u", side="left", channel=0)
    assert detect.media(here) == detect.media(Utterance("u", side="left", channel=1))
    assert detect.media(here) != detect.media(Utterance("u", side="right", channel=0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": "window", "detector": "x.onnx"}, "detector is given, but crop is 'window'"),
        ({"crop": "centre"}, "crop"),
        ({"network": "resnet51"}, "network"),
        ({"size": 8}, "size"),
        ({"base_width": 8}, "base_width"),
        ({"depth": 50}, "depth"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AffuseError, match=message):
        VisualOptions(**options)
