"""Sound in memory: the same samples as those of a file, and one sentence for what is no sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from affuse.errors import AffuseError
from affuse.media.recording import Recording
from affuse.media.samples import Samples
from audio_files import speechlike

RATE = 16_000
WAVE = speechlike(1.5, RATE)
STEREO = np.stack([WAVE, 0.5 * speechlike(1.5, RATE, seed=1)], axis=1)


def read(source: Path | Samples, channel: int | None = None) -> tuple[np.ndarray, list[str]]:
    with Recording(source, channel) as recording:
        return np.concatenate(list(recording.blocks())), recording.sentences


@pytest.mark.parametrize(
    ("subtype", "array"),
    [
        ("PCM_16", (WAVE * 32767).astype(np.int16)),
        ("PCM_32", (WAVE * 0.9 * 2**31).astype(np.int32)),
        ("FLOAT", WAVE),
        ("DOUBLE", WAVE.astype(np.float64) * 0.1),
        ("FLOAT", WAVE * 32767),  # floats in units of 16 bits: scaled, with a sentence
        ("FLOAT", STEREO),
        ("PCM_16", (STEREO * 32767).astype(np.int16)),
    ],
)
def test_samples_are_those_of_the_file_to_the_last_bit(tmp_path: Path, subtype: str, array: Any) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, array, RATE, subtype=subtype)
    for channel in (None, *range(array.ndim)):
        expected, said = read(path, channel)
        found, also = read(Samples(array, RATE), channel)
        np.testing.assert_array_equal(found, expected)
        assert also == [one.replace(str(path), "The array") for one in said]


def test_8_bits_are_centred_as_in_a_wav_file(tmp_path: Path) -> None:
    array = (128 + 100 * WAVE).astype(np.uint8)
    soundfile.write(tmp_path / "a.wav", (array.astype(np.int16) - 128) * 256, RATE, subtype="PCM_U8")
    np.testing.assert_array_equal(read(Samples(array, RATE))[0], read(tmp_path / "a.wav")[0])


def test_a_tensor_a_list_and_either_axis_give_the_same() -> None:
    expected = read(Samples(STEREO, RATE))[0]
    tensor = torch.from_numpy(STEREO).T.clone().requires_grad_()
    for same in (STEREO.T, tensor, STEREO.tolist(), torch.from_numpy(STEREO)):
        np.testing.assert_array_equal(read(Samples(same, RATE))[0], expected)
    half = torch.from_numpy(WAVE).bfloat16()
    np.testing.assert_array_equal(read(Samples(half, RATE))[0], half.float().numpy())
    for rate in (np.int64(RATE), float(RATE), torch.tensor(RATE)):
        assert Samples(WAVE, rate).rate == RATE


@pytest.mark.parametrize(
    ("clip", "said"),
    [
        (WAVE, "A clip cannot be of type ndarray; give (samples, rate)"),
        ((WAVE,), "A clip cannot be a tuple of 1; give (samples, rate)"),
        (None, "A clip cannot be of type NoneType"),
        ((RATE, WAVE), "The clip is (rate, samples); give (samples, rate)"),
        ((WAVE, 44.1), "The sampling rate must be a whole number of Hz from 1000 to 1000000, not 44.1"),
        ((WAVE, 16), "not 16;"),
        ((WAVE, True), "not True;"),
        ((WAVE, "16000"), "not '16000';"),
        ((WAVE, None), "not None;"),
        ((np.zeros(0), RATE), "The array is empty: it holds no samples"),
        ((np.zeros((2, 0)), RATE), "The array is empty"),
        ((np.where(np.arange(100) == 30, np.nan, 0.1), RATE), "at sample 30 (0.00 s)"),
        ((np.full(100, 1e300), RATE), "at sample 0 (0.00 s)"),
        ((np.zeros(100, bool), RATE), "The array holds bool, which is not a format of sound"),
        ((np.zeros(100, complex), RATE), "The array holds complex128"),
        ((np.zeros(100, np.int64), RATE), "The array holds int64"),
        ((["a", "b"], RATE), "which is not a format of sound"),
        (([[1.0], [1.0, 2.0]], RATE), "cannot be made an array of numbers (they are of type list)"),
        ((np.zeros((3, 2, 100)), RATE), "The array is 3 x 2 x 100, which is not one clip"),
        ((np.float32(1), RATE), "The array is a single number"),
        (
            (np.zeros((50, 50)), RATE),
            "The array is 50 x 50, and its shape does not say which axis is the channels",
        ),
        ((np.zeros((128, 400)), RATE), "The array is 128 x 400"),
    ],
)
def test_what_is_no_sound_is_refused_in_one_sentence(clip: object, said: str) -> None:
    with pytest.raises(AffuseError) as caught:
        Samples.of(clip)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
