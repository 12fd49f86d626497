"""Voices and faces show what they should: measured, not looked at."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from affuse.corpora.generated.face import CHANNELS, FACES, expressions
from affuse.corpora.generated.head import PATCH_HEIGHT, PATCH_WIDTH, Head, draw_body
from affuse.corpora.generated.people import make_actor, make_room
from affuse.corpora.generated.seeding import stream
from affuse.corpora.generated.voice import (
    MANNERS,
    RATE,
    Syllable,
    _consonants,
    _formants,
    _glottis,
    _vowels,
    speak,
)
from affuse.corpora.generated.words import sentence
from affuse.media.yunet import packaged_detector


def pitch(sound: np.ndarray) -> float:
    """Median F0 in Hz of the loud 40 ms windows, by autocorrelation between 60 and 500 Hz."""
    size = round(0.04 * RATE)
    frames = sound[: len(sound) // size * size].reshape(-1, size) * np.hanning(size)
    frames = frames[np.square(frames).sum(1) > np.median(np.square(frames).sum(1))]
    correlation = np.fft.irfft(np.abs(np.fft.rfft(frames, 4 * size)) ** 2)[:, : RATE // 60]
    correlation[:, : RATE // 500] = -np.inf
    return float(RATE / np.median(correlation.argmax(1)))


def voices(display: str, gender: str, number: int = 6) -> list[np.ndarray]:
    room = make_room(0, 1)
    return [
        speak(make_actor(0, 1 + i % 3, gender).voice, display, 2.5, room, stream(0, display, gender, i))
        for i in range(number)
    ]


def test_an_utterance_is_of_the_asked_length_and_in_range() -> None:
    sound = voices("ang", "M", 1)[0]
    assert sound.dtype == np.float32
    assert sound.shape == (40_000,)
    assert np.isfinite(sound).all()
    assert 0.05 < np.abs(sound).max() <= 0.99


def test_the_same_stream_gives_the_same_sound() -> None:
    np.testing.assert_array_equal(voices("hap", "F", 1)[0], voices("hap", "F", 1)[0])


def test_women_speak_higher_than_men() -> None:
    women, men = ([pitch(v) for v in voices("neu", g)] for g in "FM")
    assert min(women) > max(men)
    assert 160 < np.median(women) < 260
    assert 85 < np.median(men) < 150


def test_emotion_moves_pitch_level_and_brightness() -> None:
    def level(display: str) -> float:
        return float(np.median([20 * np.log10(np.sqrt(np.mean(v**2))) for v in voices(display, "F")]))

    def brightness(display: str) -> float:
        """Mean level of 1.5 to 3 kHz under that below, in dB: many voices, for vowels differ more than manners."""
        spectra = [np.abs(np.fft.rfft(v)) ** 2 for v in voices(display, "F", 20)]
        split = 1500 * 40_000 // RATE
        return float(np.mean([10 * np.log10(s[split : 2 * split].sum() / s[:split].sum()) for s in spectra]))

    f0 = {display: np.median([pitch(v) for v in voices(display, "F")]) for display in MANNERS}
    assert f0["exc"] > f0["hap"] > f0["neu"] > f0["sad"]
    assert level("ang") > level("neu") + 4 > level("sad") + 8
    assert brightness("ang") > brightness("neu") + 2


def test_a_sad_voice_is_breathy() -> None:
    def periodicity(sound: np.ndarray) -> float:
        """Median autocorrelation at the best lag between 60 and 500 Hz, 1 for a purely periodic voice."""
        size = round(0.04 * RATE)
        frames = sound[: len(sound) // size * size].reshape(-1, size)
        frames = frames[np.square(frames).sum(1) > np.median(np.square(frames).sum(1))]
        best = []
        for frame in frames - frames.mean(1, keepdims=True):
            lags = range(RATE // 500, RATE // 60)
            best.append(max(np.corrcoef(frame[lag:], frame[:-lag])[0, 1] for lag in lags))
        return float(np.median(best))

    sad, neutral = ([periodicity(v) for v in voices(d, "M", 3)] for d in ("sad", "neu"))
    assert max(sad) < min(neutral)


def test_formant_filter_peaks_where_the_vowel_has_its_formants() -> None:
    from scipy.signal import find_peaks, sosfreqz

    frequencies, response = sosfreqz(_formants("i", 1.0), 8192, fs=RATE)
    peaks = frequencies[find_peaks(np.abs(response))[0]]
    assert abs(response[0]) == pytest.approx(1, rel=1e-6)
    np.testing.assert_allclose(peaks[0], 270, atol=20)
    np.testing.assert_allclose(peaks[1], 2290, atol=40)


SYLLABLES = [
    Syllable(200, 3000, "a", None),
    Syllable(3400, 2500, "i", True),
    Syllable(6100, 3000, "a", False),
    Syllable(9500, 2000, "o", True),
]


def test_vowels_and_consonants_are_their_filters_over_the_whole_source() -> None:
    """They are run no further than they are heard, which changes no bit."""
    from scipy.signal import butter, sosfilt

    n = 12_000
    source = np.random.default_rng(0).standard_normal(n)
    rng, again = np.random.default_rng(1), np.random.default_rng(1)
    gains = {vowel: np.zeros(n) for vowel in "aio"}
    for s in SYLLABLES:
        shape = np.sin(np.pi * (np.arange(s.length) + 0.5) / s.length) ** 0.7
        gains[s.vowel][s.start : s.start + s.length] += shape * float(np.exp(rng.normal(0.0, 0.2)))
    by_hand = sum(np.asarray(sosfilt(_formants(v, 1.1), source)) * gain for v, gain in gains.items())
    np.testing.assert_array_equal(_vowels(source, SYLLABLES, 1.1, again), by_hand)

    total = np.zeros(n)
    for hiss, low, high, height, seconds in ((True, 4000, 7000, 0.25, 0.08), (False, 1500, 3500, 0.4, 0.03)):
        gain = np.zeros(n)
        for s in SYLLABLES:
            if s.hiss is hiss:
                length = round(seconds * RATE)
                gain[s.start : s.start + length] = np.hanning(length + 2)[1:-1]
        band = butter(2, (low, high), "bandpass", fs=RATE, output="sos")
        total += height * np.asarray(sosfilt(band, rng.standard_normal(n))) * gain
    np.testing.assert_array_equal(_consonants(n, SYLLABLES, again), total)
    assert not _consonants(n, [SYLLABLES[0]], again).any(), "a syllable without a consonant"


def test_the_glottis_opens_as_a_raised_cosine_and_closes_as_a_quarter_of_one() -> None:
    manner = MANNERS["neu"]
    flow, _ = _glottis(np.full(4000, 100.0), manner, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    jitter = manner.jitter * rng.standard_normal(4000 * 100 // RATE + 2)
    phases = np.cumsum([100.0 * (1 + jitter[int((k + 1) * 100 / RATE)]) for k in range(4000)]) / RATE
    height = 1 + 3 * manner.jitter * rng.standard_normal(int(phases[-1]) + 1)
    peak = 2 / 3 * manner.open
    for phase, value in zip(phases, flow, strict=True):
        within = phase % 1.0
        expected = 0.0
        if within < peak:
            expected = 0.5 * (1 - np.cos(np.pi * within / peak))
        elif within < manner.open:
            expected = np.cos(np.pi / 2 * (within - peak) / (manner.open - peak))
        assert value == pytest.approx(expected * height[int(phase)], abs=1e-12)


def test_every_display_has_wordings_of_its_own() -> None:
    spoken = {d: {sentence(d, stream(0, "s", d, i)) for i in range(300)} for d in MANNERS}
    for display, sentences in spoken.items():
        assert len(sentences) > 200
        assert all(s[0].isupper() and s[-1] in ".!?]" for s in sentences)
        others = set().union(*(s for d, s in spoken.items() if d != display))
        assert not sentences & others


def draw(display: str, gender: str = "F", marker: bool = False) -> np.ndarray:
    actor, room = make_actor(0, 1, gender), make_room(0, 1)
    return Head(actor.look, room, np.array([FACES[display]]), marker).draw(draw_body(actor.look, room), 0)


def test_faces_differ_by_display_actor_and_marker() -> None:
    pictures = [draw(d, g, m) for d in FACES for g in "FM" for m in (True, False)]
    assert all(p.shape == (PATCH_HEIGHT, PATCH_WIDTH, 3) and p.dtype == np.uint8 for p in pictures)
    assert len({p.tobytes() for p in pictures}) == len(pictures)


def test_a_frame_of_a_film_is_the_film_of_that_frame() -> None:
    actor, room = make_actor(0, 2, "M"), make_room(0, 2)
    spans = [(0.2, 1.0, "exc"), (1.2, 2.0, "sad"), (2.2, 3.0, "hap")]
    faces = expressions(90, 30.0, spans, np.random.default_rng(0))
    body = draw_body(actor.look, room)
    film = Head(actor.look, room, faces, True)
    rows, columns = film.place
    assert (rows.start % 2, rows.stop % 2, columns.start % 2, columns.stop % 2) == (0, 0, 0, 0)
    for i in range(0, 90, 6):
        picture = film.draw(body, i)
        np.testing.assert_array_equal(picture, Head(actor.look, room, faces[i : i + 1], True).draw(body, 0))
        picture[film.place] = body[film.place]
        np.testing.assert_array_equal(picture, body, "nothing is drawn outside of its place")


def test_a_face_is_at_rest_between_turns_and_shows_its_display_within_one() -> None:
    spans = [(1.0, 3.0, "exc"), (4.0, 6.0, "sad")]
    face = expressions(240, 30.0, spans, np.random.default_rng(0))
    smile = face[:, CHANNELS.index("smile")]
    assert face.shape == (240, len(CHANNELS))
    np.testing.assert_allclose(smile[:30], 0, atol=1e-9)
    assert smile[60:90].min() > 0.7 * 11
    assert smile[150:180].max() < -0.7 * 8
    assert abs(smile[-1]) < 0.01
    # the mouth opens and closes while speaking, and stays as it is when not
    opening = face[:, CHANNELS.index("mouth_open")]
    assert np.ptp(opening[60:90]) > 4
    assert np.ptp(opening[:30]) < 1e-9


def test_a_face_detector_finds_every_drawn_face() -> None:
    detector = cv2.FaceDetectorYN.create(str(packaged_detector()), "", (PATCH_WIDTH, PATCH_HEIGHT), 0.5)
    for display in FACES:
        for gender in "FM":
            _, found = detector.detect(draw(display, gender, marker=True))
            assert found is not None
            assert len(found) == 1
            x, y, width, height = found[0][:4]
            assert 100 < x + width / 2 < 150
            assert 90 < y + height / 2 < 150
