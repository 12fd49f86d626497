"""The hog encoder: its histograms by plain loops, its statistics, batches against clips, and what it cannot do."""

from pathlib import Path

import numpy as np
import pytest
import torch

from affuse.corpora.corpus import Utterance
from affuse.encoders.hog import HogEncoder, HogOptions
from affuse.errors import AffuseError
from affuse.parts.registry import get
from affuse.sequence import FeatureSequence, pad
from video_files import grey, write_video


def clips(*lengths: int, size: int = 48) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randint(0, 256, (n, size, size, 3), dtype=torch.uint8, generator=generator) for n in lengths
    ]


def edge(degrees: float, size: int = 48) -> torch.Tensor:
    """One frame whose brightness rises along one direction only."""
    rows, columns = np.mgrid[:size, :size] / (1.5 * size)
    angle = np.deg2rad(degrees)
    ramp = np.abs(rows * np.sin(angle) + columns * np.cos(angle))
    return torch.from_numpy(np.repeat((255 * ramp)[..., None], 3, axis=2).astype(np.uint8))[None]


@pytest.mark.parametrize("degrees", [10, 50, 90, 130, 170])
def test_a_ramp_falls_into_the_bin_of_its_direction(degrees: int) -> None:
    found = HogEncoder(HogOptions(steps="frames"))(pad([edge(degrees)])).values[0, 0]
    bins = found.view(25, 4, 9).sum(dim=(0, 1))
    # 9 unsigned orientations of 20 degrees, shared between the two nearest: degree d lies between bins
    low = int((degrees - 10) // 20) % 9
    assert set(bins.topk(2).indices.tolist()) & {low, (low + 1) % 9, (low - 1) % 9}
    assert float(bins[[low, (low + 1) % 9]].sum() / bins.sum()) > 0.6


def test_blocks_have_unit_length_and_light_does_not_matter() -> None:
    (clip,) = clips(1)
    encoder = HogEncoder(HogOptions(steps="frames"))
    bright = encoder(pad([clip])).values[0, 0]
    dark = encoder(pad([(clip.float() / 2).to(torch.uint8)])).values[0, 0]
    assert torch.allclose(bright.view(25, 36).norm(dim=1), torch.ones(25), atol=0.02)
    assert float((bright - dark).norm() / bright.norm()) < 0.02


def test_a_clip_is_the_mean_and_deviation_of_its_frames() -> None:
    (clip,) = clips(5)
    frames = HogEncoder(HogOptions(steps="frames"))(pad([clip])).values[0].numpy().astype(np.float64)
    found = HogEncoder(HogOptions())(pad([clip])).values[0, 0].numpy()
    mean = [sum(frame[i] for frame in frames) / 5 for i in range(900)]
    deviation = [(sum((frame[i] - mean[i]) ** 2 for frame in frames) / 5) ** 0.5 for i in range(900)]
    np.testing.assert_allclose(found, mean + deviation, atol=1e-6)


@pytest.mark.parametrize("steps", ["clip", "frames"])
@pytest.mark.parametrize("size", [48, 64])
def test_a_batch_equals_its_clips_one_by_one(steps: str, size: int) -> None:
    encoder = HogEncoder(HogOptions(steps=steps, size=size))
    each = clips(3, 1, 4, size=size)
    batch = pad(each)
    missing = FeatureSequence(torch.cat([batch.values, torch.zeros_like(batch.values[:1])]),
                              torch.cat([batch.mask, torch.zeros_like(batch.mask[:1])]))  # fmt: skip
    together = encoder(missing)
    assert together.values.shape[-1] == HogEncoder.width_of(encoder.options)
    for i, clip in enumerate(each):
        alone = encoder(pad([clip]))
        assert torch.equal(together.values[i][together.mask[i]], alone.values[0])
    assert not together.mask[3].any()
    assert not together.values[3].any()


def test_it_is_registered_and_has_nothing_to_train() -> None:
    assert get("encoders", "hog") is HogEncoder
    with pytest.raises(AffuseError, match="nothing to train"):
        HogEncoder(HogOptions()).check_trainable()
    with pytest.raises(AffuseError):
        HogOptions(size=50)


def test_it_reads_the_whole_clip_at_its_own_rate(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [grey(i) for i in range(50)])
    encoder = HogEncoder(HogOptions(crop="window"))
    read = encoder.read(Utterance("u", video=path))
    assert read is not None
    assert read.shape == (5, 48, 48, 3)
