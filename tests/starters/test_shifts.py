"""The changes of starters/shifts.py, each measured in another way than it is made."""

from __future__ import annotations

import numpy as np
import pytest

from starter_scripts import script

RATE = 16_000
shifts = script("shifts")


def tone(hertz: float, seconds: float = 1.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def loudest_frequency(sound: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    return float(power.argmax() * RATE / len(sound))


def decibels(sound: np.ndarray) -> float:
    return float(10 * np.log10((sound.astype(float) ** 2).mean() + 1e-20))


@pytest.mark.parametrize("seed", range(6))
def test_another_tract_moves_pitch_and_tempo_by_one_factor(seed: int) -> None:
    sound = shifts.other_tract(tone(400), np.random.default_rng(seed))
    factor = RATE / len(sound)
    assert 1 / 1.18 - 0.01 < factor < 1 / 0.85 + 0.01
    assert loudest_frequency(sound) == pytest.approx(400 * factor, rel=0.01)


def test_silence_around_leaves_the_speech_as_it_is() -> None:
    sound = tone(300, 0.5)
    found = shifts.waiting(sound, np.random.default_rng(3))
    speech = np.flatnonzero(found)
    begin = int(speech[0]) - 1  # a sine begins with 0
    np.testing.assert_array_equal(found[begin : begin + len(sound)], sound)
    assert not found[:begin].any()
    assert not found[begin + len(sound) :].any()
    assert len(sound) < len(found) < len(sound) + 2 * RATE


def test_noise_lies_5_to_25_db_below_the_speech() -> None:
    sound = tone(440, 3.0)
    for seed in range(5):
        found = shifts.noise(sound, np.random.default_rng(seed))
        assert 5 - 0.1 < decibels(sound) - decibels(found - sound) < 25 + 0.1


def test_a_microphone_is_a_filter_without_delay() -> None:
    """Linear, the same at every time, and a click stays where it was."""
    first, second = tone(300), tone(1700)
    made = [shifts.microphone(x, np.random.default_rng(1)) for x in (first, second, first + second)]
    np.testing.assert_allclose(made[0] + made[1], made[2], atol=1e-5)
    click = np.zeros(RATE, np.float32)
    click[8000] = 1.0
    answer = np.abs(shifts.microphone(click, np.random.default_rng(1)))
    assert abs(int(answer.argmax()) - 8000) <= 1


def test_a_room_keeps_the_direct_sound_and_decays() -> None:
    click = np.zeros(2 * RATE, np.float32)
    click[0] = 1.0
    tail = shifts.room(click, np.random.default_rng(5))
    assert tail[0] == pytest.approx(1.0, abs=1e-4)
    early, late = (decibels(tail[a : a + 800]) for a in (100, 2900))
    # -60 dB in 0.2 to 0.7 s: 2800 samples, 175 ms, are 15 to 52.5 dB
    assert 15 - 2 < early - late < 52.5 + 2
    assert not np.abs(tail[int(0.7 * RATE) + 1 :] > 1e-4).any()


@pytest.mark.parametrize("seed", range(8))
def test_narrow_bands_take_the_top_away_and_leave_the_middle(seed: int) -> None:
    kept, lost = (
        decibels(shifts.narrow(tone(hertz), np.random.default_rng(seed))[4000:]) - decibels(tone(hertz))
        for hertz in (1000, 7900)
    )
    assert kept > -1
    assert lost < -5


def test_level_is_the_peak() -> None:
    sound = tone(300)
    for seed in range(5):
        peak = 20 * np.log10(np.abs(shifts.level(sound, np.random.default_rng(seed))).max())
        assert -30 - 1e-3 < peak < -1 + 1e-3


def test_the_same_draw_makes_the_same_copy_and_another_another() -> None:
    sound = tone(200, 0.7)
    one, same, other = (shifts.shifted(sound, np.random.default_rng([20, 3, k])) for k in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert len(one) != len(other) or not np.allclose(one, other)
    assert one.dtype == np.float32
    assert np.isfinite(one).all()
