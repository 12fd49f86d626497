"""The second paper's recipes: their sizes, settings and protocols; and where their networks find gender."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score
from torch import nn

import affuse
from affuse.corpora.generated import generate_release
from affuse.corpora.readers.iemocap import prepare
from affuse.encoders.visual import VisualEncoder, VisualOptions
from affuse.encoders.waveform import WaveformEncoder, WaveformOptions
from affuse.recipe import Recipe
from affuse.sequence import pad

AUDIO, VIDEO, LSTM_BOTH = 3_240 + 6_400_040, 23_508_032, 3_672_064 + 526_336
HEADS = 256 * 4 + 4 + 256 * 2 + 2
TOTALS = {
    "um-dynamic-a": 8_506_070,
    "um-dynamic-v": 26_397_254,
    "mm-static": 34_111_254,
    "mm-dynamic": 34_111_254,
}


@pytest.mark.parametrize("name", TOTALS)
@pytest.mark.parametrize("honest", [False, True])
def test_the_papers_settings(name: str, honest: bool) -> None:
    recipe = Recipe.load(f"{name}-honest" if honest else name)
    assert recipe.optimizer.lr == 1e-4
    assert recipe.optimizer.clip_norm == 1.0
    assert recipe.training.epochs == 100
    assert recipe.training.schedule is not None
    assert (recipe.training.schedule.every, recipe.training.schedule.factor) == (10, 0.1)
    assert recipe.weighting.name == name.replace("dynamic", "softmax").split("-")[1]
    assert list(recipe.tasks) == ["emotion", "gender"]
    assert recipe.protocol.allow_speaker_overlap is not honest
    twin = Recipe.load(name).model_dump()
    for key in ("tasks", "modalities", "fusion", "head", "weighting", "optimizer", "training"):
        assert recipe.model_dump()[key] == twin[key]


@pytest.mark.parametrize("name", TOTALS)
def test_parameter_totals(name: str) -> None:
    model = affuse.build(name)
    assert model.trainable_parameters() == TOTALS[name]
    parts = {part: sum(p.numel() for p in encoder.parameters()) for part, encoder in model.encoders.items()}
    assert parts == {part: {"audio": AUDIO, "video": VIDEO}[part] for part in parts}
    if name.startswith("mm"):
        assert TOTALS[name] == AUDIO + VIDEO + LSTM_BOTH + HEADS


def test_gain_multiplies_the_sound() -> None:
    options: dict[str, Any] = {
        "filters": 4,
        "channel_pool": 2,
        "short_kernel": 8,
        "long_kernel": 32,
        "rate": 1000,
        "frames_per_second": 5,
    }
    torch.manual_seed(0)
    plain = WaveformEncoder(WaveformOptions(**options))
    loud = WaveformEncoder(WaveformOptions(**options, gain=17.1))
    loud.load_state_dict(plain.state_dict())
    wave = 0.06 * torch.randn(600)
    with torch.no_grad():
        torch.testing.assert_close(loud(pad([wave])).values, plain(pad([17.1 * wave])).values)
    assert Recipe.load("mm-dynamic").modalities["audio"].options == {"gain": 17.1}


# ---- gender must come from voice and face, not from the crop's side


OPTIONS = VisualOptions(network="resnet10", base_width=16, stages=2, size=48, frames_per_second=1, seconds=3)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[torch.Tensor], torch.Tensor, np.ndarray]:
    """Clips as the visual encoder reads them, gender, and which half of the speaker's clips each is in."""
    folder = tmp_path_factory.mktemp("release")
    release = generate_release(folder / "release", sessions=4, dialogs=2, turns=40, jobs=1)
    corpus = prepare(release, folder / "corpus")
    reader = VisualEncoder(OPTIONS)
    read = [reader.read(utterance) for utterance in corpus.utterances()]
    clips = [clip for clip in read if clip is not None]
    assert len(clips) == len(corpus)
    table = corpus.table
    assert table.groupby("gender")["side"].nunique().min() == 2  # each gender sits on both sides
    half = table.groupby(["dialog", "speaker"]).cumcount() % 2 == 0
    return clips, torch.tensor((table["gender"] == "male").to_numpy(int)), half.to_numpy()


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def blank(clip: torch.Tensor) -> torch.Tensor:
    """Head, hair and shoulders out: the walls beside them stay, and whatever the crop's place tells."""
    clip = clip.clone()
    clip[:, :, 6:42] = 128
    clip[:, 35:] = 128
    return clip


def gender_found(clips: list[torch.Tensor], gender: torch.Tensor, half: np.ndarray) -> float:
    """BACC over all clips, each half tested by a network trained on the other.

    The same people and rooms on both sides of the test, as in the paper: what tells gender by the crop's place
    would be learnt, and would hold.
    """
    answers = torch.empty_like(gender)
    for train, test in ((half, ~half), (~half, half)):
        torch.manual_seed(0)
        encoder = VisualEncoder(OPTIONS)
        network = nn.ModuleList([encoder, nn.Linear(encoder.width, 2)])
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
        rows = torch.tensor(np.flatnonzero(train))
        for _ in range(150):
            batch = rows[torch.randperm(len(rows))[:10]]
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits(network, clips, batch), gender[batch]).backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            rows = torch.tensor(np.flatnonzero(test))
            answers[rows] = logits(network, clips, rows).argmax(1)
    return float(balanced_accuracy_score(gender, answers))


def logits(network: nn.ModuleList, clips: list[torch.Tensor], rows: torch.Tensor) -> torch.Tensor:
    """The head on the mean over frames."""
    out = network[0](pad([clips[i] for i in rows.tolist()]))
    return network[1](out.values.sum(1) / out.lengths[:, None])


@pytest.mark.usefixtures("one_thread")
def test_gender_is_in_the_face_and_not_in_the_place_of_the_crop(
    faces: tuple[list[torch.Tensor], torch.Tensor, np.ndarray],
) -> None:
    clips, gender, half = faces
    seen = gender_found(clips, gender, half)
    chance = gender_found([blank(clip) for clip in clips], gender, half)
    assert seen > 0.8
    assert 0.28 < chance < 0.72  # 40 utterances: 0.5 within 2.8 standard deviations
