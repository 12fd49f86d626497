"""The release on disk: formats, sound and picture, the same bytes for one seed, nothing half done."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import pytest
import soundfile

from affuse.corpora.generated import generate_release
from affuse.corpora.generated.displays import LABEL_MIX
from affuse.corpora.generated.face import expressions
from affuse.corpora.generated.head import PATCH_HEIGHT, PATCH_WIDTH, Head, draw_body
from affuse.corpora.generated.people import make_actor, make_room
from affuse.corpora.generated.script import plan_release
from affuse.corpora.generated.seeding import stream
from affuse.corpora.generated.video import FRAME_RATE, LEFT, RIGHT, TOP
from affuse.errors import AffuseError
from command import affuse

SIZE: dict[str, Any] = {"sessions": 1, "dialogs": 2, "turns": 8}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory):
    return generate_release(tmp_path_factory.mktemp("generated") / "release", jobs=1, **SIZE)


def digests(root: Path) -> dict[str, str]:
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in root.rglob("*")
        if p.is_file()
    }


def test_one_seed_gives_the_same_bytes_for_any_number_of_processes(release: Path, tmp_path: Path) -> None:
    again = generate_release(tmp_path / "again", jobs=2, **SIZE)
    assert digests(release) == digests(again)


def test_another_seed_gives_other_media_in_the_same_layout(release: Path, tmp_path: Path) -> None:
    other = generate_release(tmp_path / "other", jobs=1, seed=1, **SIZE)
    mine, theirs = digests(release), digests(other)
    dialogs = {name for name in mine if "sentences" not in name and "Self" not in name}
    assert dialogs == {name for name in theirs if "sentences" not in name and "Self" not in name}
    whole = [n for n in dialogs if n.endswith((".avi", ".wav")) and "._" not in n]
    assert whole
    assert all(mine[name] != theirs[name] for name in whole)


def test_without_video_all_else_is_the_same(release: Path, tmp_path: Path) -> None:
    quick = digests(generate_release(tmp_path / "quick", jobs=1, video=False, **SIZE))
    full = {name: d for name, d in digests(release).items() if "avi" not in name}
    full.pop("ceilings.json"), quick.pop("ceilings.json")
    assert quick == full


def test_sentence_wavs_are_mono_16_khz_16_bit_and_as_long_as_their_turns(release: Path) -> None:
    wavs = sorted(p for p in release.glob("Session1/sentences/wav/*/Ses*.wav"))
    assert len(wavs) == 8
    lines = "".join(
        p.read_text("latin-1") for p in release.glob("Session1/dialog/EmoEvaluation/Ses*.txt")
    ).splitlines()
    heads = {line.split("\t")[1]: line for line in lines if line.startswith("[")}
    for wav in wavs:
        info = soundfile.info(wav)
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
        start, end = heads[wav.stem].split("]")[0].strip("[").split(" - ")
        assert info.duration == pytest.approx(float(end) - float(start), abs=1e-3)


def test_dialog_wavs_are_stereo_with_the_speaker_louder_in_the_own_channel(release: Path) -> None:
    dialogs = sorted(release.glob("Session1/dialog/wav/Ses*.wav"))
    assert dialogs
    for path in dialogs:
        sound, rate = soundfile.read(path)
        assert sound.shape[1] == 2
        for line in (
            (release / "Session1/dialog/EmoEvaluation" / f"{path.stem}.txt").read_text("latin-1").splitlines()
        ):
            if line.startswith("["):
                start, end = map(float, line.split("]")[0].strip("[").split(" - "))
                own = "FM".index(line.split("\t")[1].rsplit("_", 1)[1][0])
                middle = sound[round((start + 0.3) * rate) : round((end - 0.3) * rate)]
                power = np.square(middle).mean(axis=0)
                assert power[own] > 10 * power[1 - own]


def frames(path: Path) -> tuple[list[float], np.ndarray]:
    with av.open(str(path)) as container:
        decoded = list(container.decode(video=0))
        return [float(f.time or 0) for f in decoded], np.stack(
            [f.to_ndarray(format="rgb24") for f in decoded[::5]]
        )


def test_avis_are_letterboxed_side_by_side_with_the_marker_left(release: Path) -> None:
    films = sorted(release.glob("Session1/dialog/avi/DivX/Ses*.avi"))
    assert films
    for path in films:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert (stream.width, stream.height) == (720, 480)
            assert stream.average_rate == Fraction(30_000, 1_001)
            sound = container.streams.audio[0]
            assert (sound.rate, sound.channels) == (16_000, 2)
        times, pictures = frames(path)
        assert np.diff(times) == pytest.approx(1001 / 30_000, abs=1e-4)
        spoken = soundfile.info(release / "Session1/dialog/wav" / f"{path.stem}.wav").duration
        assert len(times) * 1001 / 30_000 == pytest.approx(spoken, abs=0.02)
        rows = pictures.mean(axis=(0, 2, 3))
        assert rows[: TOP - 4].max() < 6
        assert rows[TOP + PATCH_HEIGHT + 4 :].max() < 6
        assert rows[TOP + 4 : TOP + PATCH_HEIGHT - 4].min() > 40
        # white marker dots: many bright specks in the left face, none in the right one but its eyes and teeth
        white = (pictures > 215).all(axis=3)[:, TOP : TOP + PATCH_HEIGHT]
        forehead = slice(60, 95)
        assert white[:, forehead, LEFT : LEFT + PATCH_WIDTH].sum() > 10 * len(pictures)
        assert white[:, forehead, RIGHT : RIGHT + PATCH_WIDTH].sum() < 2 * len(pictures)


def test_every_picture_of_a_film_is_the_one_that_was_drawn_for_it(release: Path) -> None:
    dialog = plan_release(**SIZE, seed=0)[0]
    room = make_room(0, dialog.session)
    with av.open(str(release / f"Session1/dialog/avi/DivX/{dialog.name}.avi")) as container:
        decoded = [f.to_ndarray(format="bgr24") for f in container.decode(video=0)]
    for gender in "FM":
        look, marker = make_actor(0, dialog.session, gender).look, gender == dialog.marker
        spans = [(t.start, t.end, t.shown["video"]) for t in dialog.turns if t.gender == gender]
        rng = stream(0, "face", dialog.name, gender)
        head = Head(look, room, expressions(len(decoded), float(FRAME_RATE), spans, rng), marker)
        body, x = draw_body(look, room), LEFT if marker else RIGHT
        for i in range(0, len(decoded), 7):
            seen = decoded[i][TOP : TOP + PATCH_HEIGHT, x : x + PATCH_WIDTH].astype(float)
            wrong = {k: np.square(seen - head.draw(body, k)).mean() for k in (i - 7, i, i + 7)
                     if 0 <= k < len(decoded)}  # fmt: skip
            assert wrong[i] < 60, "above 30 dB, colour at half the resolution included"
            assert min(wrong, key=lambda k: wrong[k]) == i


def test_only_the_speaking_actors_mouth_moves(release: Path) -> None:
    path = release / "Session1/dialog/avi/DivX/Ses01F_impro01.avi"
    times, _ = frames(path)
    with av.open(str(path)) as container:
        grey = np.stack([f.to_ndarray(format="gray") for f in container.decode(video=0)]).astype(float)
    mouth = slice(TOP + 150, TOP + 190)
    change = {
        side: np.abs(np.diff(grey[:, mouth, x + 90 : x + 160], axis=0)).mean(axis=(1, 2))
        for side, x in (("left", LEFT), ("right", RIGHT))
    }
    clock = np.array(times[1:])
    text = (release / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt").read_text("latin-1")
    for line in text.splitlines():
        if line.startswith("["):
            start, end = map(float, line.split("]")[0].strip("[").split(" - "))
            speaks = "left" if line.split("\t")[1].rsplit("_", 1)[1][0] == "F" else "right"
            within = (clock > start + 0.4) & (clock < end - 0.2)
            other = "right" if speaks == "left" else "left"
            assert change[speaks][within].mean() > 1.5 * change[other][within].mean()


def test_the_avis_sound_is_the_dialogs(release: Path) -> None:
    path = release / "Session1/dialog/avi/DivX/Ses01M_script01_1.avi"
    with av.open(str(path)) as container:
        heard = np.concatenate([f.to_ndarray().reshape(-1, 2) for f in container.decode(audio=0)])
    dialog, _ = soundfile.read(release / "Session1/dialog/wav/Ses01M_script01_1.wav", dtype="int16")
    size = min(len(heard), len(dialog))
    assert size > 0.99 * len(dialog)
    np.testing.assert_array_equal(heard[:size], dialog[:size])


def test_ceilings_and_displays_lie_beside_the_sessions(release: Path) -> None:
    stamp = json.loads((release / "ceilings.json").read_text())
    assert stamp["generated"] is True
    assert stamp["name"] == "generated"
    assert stamp["label_mix"] == LABEL_MIX
    assert set(stamp["ceilings"]) == {"4+exc", "4", "6"}
    assert set(stamp["ceilings"]["4+exc"]) == {
        "audio", "text", "video", "audio+text", "audio+video", "text+video", "audio+text+video",
    }  # fmt: skip
    shown = pd.read_csv(release / "displays.csv")
    assert len(shown) == 8
    assert list(shown.columns) == ["id", "label", "meant", "audio", "text", "video"]


def test_the_quirks_are_there(release: Path) -> None:
    dialog = release / "Session1/dialog"
    assert (dialog / "EmoEvaluation/._Ses01F_impro01.txt").is_file()
    assert (dialog / "avi/DivX/._Ses01F_impro01.avi").is_file()
    assert (dialog / "EmoEvaluation/temp").is_dir()
    assert (release / "Session1/sentences/wav/temp").is_dir()
    assert not (dialog / "EmoEvaluation/Ses01M_script01_1.txt").read_bytes().endswith(b"\n\n")
    assert b"caf\xe9" in (dialog / "transcriptions/Ses01F_impro01.txt").read_bytes()


def test_foreign_folders_are_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(AffuseError, match="is not a generated release"):
        generate_release(tmp_path / "mine", jobs=1, video=False, **SIZE)
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_an_earlier_generated_release_is_replaced_whole(tmp_path: Path) -> None:
    out = generate_release(tmp_path / "r", jobs=1, video=False, **SIZE)
    generate_release(out, sessions=1, dialogs=1, turns=3, jobs=1, video=False)
    assert len(list(out.glob("Session1/dialog/wav/Ses*.wav"))) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate_release(tmp_path / "r", jobs=1, video=False, progress=stop, **SIZE)
    assert list(tmp_path.iterdir()) == []


def test_progress_counts_every_dialog(tmp_path: Path) -> None:
    calls = []
    generate_release(tmp_path / "r", jobs=1, video=False, progress=lambda *call: calls.append(call), **SIZE)
    assert calls == [(1, 2), (2, 2)]


def test_the_command_replaces_no_release_of_other_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A corpus may have been prepared from it."""
    words = [
        "prepare",
        "generated",
        tmp_path / "r",
        "--sessions",
        "1",
        "--dialogs",
        "1",
        "--no-video",
        "--jobs",
        "1",
    ]
    assert affuse(capsys, monkeypatch, *words, "--turns", "6").code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "r").rglob("*.txt")}
    refused = affuse(capsys, monkeypatch, *words, "--turns", "7")
    assert refused.code == 2
    assert "holds a generated corpus of other settings (turns 6); name a new folder" in refused.err.replace(
        "\n", " "
    )
    assert before == {path: path.read_bytes() for path in (tmp_path / "r").rglob("*.txt")}
    assert affuse(capsys, monkeypatch, *words, "--turns", "6").code == 0
