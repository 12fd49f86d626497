"""The second paper's table: numbers of a run by hand, and the whole way on a small generated corpus with pictures."""

import math
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from affuse.corpora.corpus import Corpus
from affuse.corpora.generated import generate_release
from affuse.corpora.readers.iemocap import prepare
from affuse.reproduction.report.values import joint_numbers
from affuse.training.cells import Cell
from affuse.training.runfolder import RunFolder
from command import affuse

SPACES = {"emotion": ["a", "b"], "gender": ["f", "m"]}


def test_nll_and_weights_of_a_run_by_hand(tmp_path: Path) -> None:
    """Weights at the chosen epoch weigh the sum; the last epoch's are the weights that the paper prints."""
    pd.DataFrame(
        {"epoch": [1, 2, 3], "weight_emotion": [0.5, 0.4, 0.3], "weight_gender": [0.5, 0.6, 0.7]}
    ).to_csv(tmp_path / "metrics.csv", index=False)
    rows = [("u1", "a", 0.5, "f", 0.8), ("u2", "b", 0.25, "", 0.5), ("u3", "a", 0.9, "m", 0.1)]
    pd.DataFrame(
        [
            {
                "id": id, "role": "validation", "fold": 0, "emotion": e, "emotion_p_a": p, "emotion_p_b": 1 - p,
                "gender": g, "gender_p_f": q, "gender_p_m": 1 - q,
            }
            for id, e, p, g, q in rows
        ]
    ).to_csv(tmp_path / "predictions.csv", index=False)  # fmt: skip
    comparison = SimpleNamespace(results={tmp_path: SimpleNamespace(best_epoch=2)})
    found = joint_numbers(Cell(None, 0, 0, tmp_path), comparison, SPACES)  # type: ignore[arg-type]
    emotion = [-math.log(0.5), -math.log(0.75), -math.log(0.9)]
    gender = [-math.log(0.8), -math.log(0.9)]
    assert found["nll_validation"] == pytest.approx(0.4 * sum(emotion) + 0.6 * sum(gender))
    assert found["nll_validation_mean"] == pytest.approx(sum(emotion) / 3 + sum(gender) / 2)
    assert (found["weight_emotion"], found["weight_gender"], found["n"]) == (0.3, 0.7, 3)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("release")
    release = generate_release(folder / "release", sessions=3, dialogs=2, turns=66, jobs=1)
    return prepare(release, folder / "corpus")


def test_the_grid_as_coded(
    corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of so few turns a rule of four classes without excited would leave some class out: the corpus's labels stay."""
    words = "--quick --jobs 1 --seeds 0 --protocol coded --set protocol.seed=1 --set corpus.labels=null --set epochs=1"
    words += " --set training.batch_size=8 --set fusion.options.hidden=8"
    out, cache = tmp_path / "R", tmp_path / "cache"
    result = affuse(
        capsys,
        monkeypatch,
        "reproduce",
        "dynamic-loss",
        corpus.folder,
        "--out",
        out,
        "--cache",
        cache,
        *words.split(),
    )
    assert result.code == 0, result.err
    frame = pd.read_csv(out / "reproduction.csv", keep_default_na=False)
    assert len(frame[frame["published"] != ""]) == 4 * 3
    assert set(frame["on_test"]) == {"test utterances in training"}
    static = frame[(frame["row"] == "MM-static") & (frame["metric"] == "weight_emotion")]
    assert static["value"].astype(float).tolist() == [0.5]
    folder = next((out / "coded" / "runs").glob("row=MM-dynamic,seed=0/fold0"))
    train = set(pd.read_csv(folder / "split.csv", dtype=str).query("role == 'train'")["id"])
    assert train & set(RunFolder(folder).predictions("test")["id"])
    assert "show the other half of the picture" in result.err.replace("\n", " ")
