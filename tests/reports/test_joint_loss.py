"""The second paper's table and figure from real runs of its own recipe, tiny, against a second derivation."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.metrics import log_loss
from typer.testing import CliRunner

from affuse.cli.app import app
from affuse.corpora.corpus import Corpus
from affuse.corpora.schema import CorpusInfo
from affuse.errors import AffuseError
from affuse.evaluation.calibration import probabilities_of, utterance_nll
from affuse.reports.figures.training_figure import save_figure, training_figure
from affuse.reports.tables.joint_losses import joint_loss_table
from video_files import grey, write_video

TINY = [
    "modalities.audio.options.frames_per_second=5",
    "modalities.audio.options.filters=4",
    "modalities.audio.options.channel_pool=4",
    "modalities.audio.options.rate=1000",
    "modalities.audio.options.short_kernel=8",
    "modalities.audio.options.long_kernel=32",
    "modalities.video.options.frames_per_second=5",
    "modalities.video.options.network=resnet10",
    "modalities.video.options.base_width=16",
    "modalities.video.options.stages=1",
    "modalities.video.options.size=48",
    "fusion.options.hidden=8",
    "epochs=2",
    "training.batch_size=8",
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Two sessions' two speakers, 32 clips of 0.6 s; grey tells the emotion, pitch the gender; some labels blank."""
    folder = tmp_path_factory.mktemp("corpus")
    random = np.random.default_rng(0)
    rows = []
    for i in range(32):
        emotion, gender = ["anger", "sadness"][i // 2 % 2], ["female", "male"][i % 2]
        time = np.arange(9600) / 16_000
        pitch = (220 if gender == "female" else 110) * random.uniform(0.95, 1.05)
        soundfile.write(
            folder / f"{i}.wav", (0.3 * np.sin(2 * np.pi * pitch * time)).astype(np.float32), 16_000
        )
        level = 70 if emotion == "anger" else 170
        write_video(folder / f"{i}.avi", [grey(level + int(random.integers(-9, 9)), 64, 64)] * 15)
        rows.append({
            "id": f"u{i}", "audio": f"{i}.wav", "video": f"{i}.avi", "gender": gender,
            "emotion": None if i in (5, 17) else emotion, "speaker": f"{gender}{i // 16}", "session": str(i // 16),
        })  # fmt: skip
    info = CorpusInfo(
        name="tiny", generated=True, media_root=str(folder),
        label_spaces={"emotion": ["anger", "sadness"], "gender": ["female", "male"]},
    )  # fmt: skip
    return Corpus(pd.DataFrame(rows), info).save(folder / "corpus")


@pytest.fixture(scope="module")
def out(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("out")
    command = [
        "compare",
        "mm-dynamic",
        str(corpus.folder),
        "--out",
        str(out),
        "--jobs",
        "1",
        "--device",
        "cpu",
    ]
    command += [
        "--cache",
        str(out / "cache"),
        "--over",
        "weighting=static,softmax,uncertainty",
        "--over",
        "seed=0,1",
    ]
    for change in TINY:
        command += ["--set", change]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    return out


def test_what_was_chosen_on_the_test_part_carries_the_mark() -> None:
    made = pd.DataFrame({
        "recipe": "x", "modalities": "audio", "stamp": "", "on_test": "epoch chosen on the test part",
        "quantity": ["weight_emotion", "test_acc_emotion"], "value": [1.0, 0.5], "sd_seeds": float("nan"),
    })  # fmt: skip
    assert list(joint_loss_table(made)["on_test"]) == ["epoch chosen on the test part"]
    assert "on_test" not in joint_loss_table(made.assign(on_test=""))
    stamped = made.assign(on_test="", stamp="speaker-dependent")
    assert list(joint_loss_table(stamped)["protocol"]) == ["speaker-dependent"]


def test_nll_names_the_tasks_that_have_one() -> None:
    numbers = {
        "weight_emotion": 1.0, "weight_moods": 1.0, "weight_valence": 1.0, "validation_nll_sum": 50.0,
        "validation_nll_mean": 0.5, "validation_nll_mean_emotion": 0.5, "test_acc_emotion": 0.6,
        "test_bacc_emotion": 0.5, "test_macro_f1_moods": 0.4, "test_micro_f1_moods": 0.3,
    }  # fmt: skip
    made = pd.DataFrame({
        "recipe": "x", "modalities": "audio", "stamp": "", "on_test": "", "quantity": list(numbers),
        "value": list(numbers.values()), "sd_seeds": float("nan"),
    })  # fmt: skip
    (line,) = joint_loss_table(made).to_dict("records")
    assert line["validation NLL: sum; mean = emotion"] == "50.0; 0.500 = 0.500"
    assert line["moods macro F1"] == "40.0"


def runs_of(out: Path, weighting: str):
    return sorted((out / "runs").glob(f"weighting={weighting},seed=*/fold0"))


@pytest.mark.parametrize("weighting", ["static", "softmax", "uncertainty"])
def test_every_number_against_the_run_folders(out: Path, weighting: str) -> None:
    losses = pd.read_csv(out / "joint_losses.csv").query("weighting == @weighting").set_index("quantity")
    assert set(losses["modalities"]) == {"audio+video"}
    folders = runs_of(out, weighting)
    assert len(folders) == 2
    assert set(losses["seeds"]) == {2}
    for part in ("validation", "test"):
        per_task = {}
        for task, space in (("emotion", ["anger", "sadness"]), ("gender", ["female", "male"])):
            values = []
            for folder in folders:
                table = pd.read_csv(folder / "predictions.csv", keep_default_na=False).query("role == @part")
                known = table[table[task] != ""]
                probabilities = known[[f"{task}_p_{label}" for label in space]].to_numpy(float)
                mean = log_loss(
                    known[task], probabilities / probabilities.sum(1, keepdims=True), labels=space
                )
                values.append((mean, mean * len(known)))
            per_task[task] = np.array(values)
            assert losses.loc[f"{part}_nll_mean_{task}", "value"] == pytest.approx(
                np.mean(values, 0)[0], rel=1e-4
            )
        both = sum(per_task.values())
        assert losses.loc[f"{part}_nll_mean", "value"] == pytest.approx(both[:, 0].mean(), rel=1e-4)
        assert losses.loc[f"{part}_nll_mean", "sd_seeds"] == pytest.approx(both[:, 0].std(ddof=1), rel=1e-3)
        assert losses.loc[f"{part}_nll_sum", "value"] == pytest.approx(both[:, 1].mean(), rel=1e-4)
    for task in ("emotion", "gender"):
        results = [json.loads((folder / "results.json").read_text()) for folder in folders]
        for metric in ("acc", "bacc"):
            mean = np.mean([r["metrics"][task][metric] for r in results])
            assert losses.loc[f"test_{metric}_{task}", "value"] == pytest.approx(mean)
        weight = np.mean([r["last_epoch"][f"weight_{task}"] for r in results])
        assert losses.loc[f"weight_{task}", "value"] == pytest.approx(weight, rel=1e-5)


def test_weights_are_each_weightings_own(out: Path) -> None:
    losses = pd.read_csv(out / "joint_losses.csv").set_index(["weighting", "quantity"])["value"]
    assert losses["static", "weight_emotion"] == losses["static", "weight_gender"] == 0.5
    dynamic = losses["softmax", "weight_emotion"], losses["softmax", "weight_gender"]
    assert sum(dynamic) == pytest.approx(1)
    assert dynamic[0] != 0.5


def test_the_table_is_printed_in_the_papers_shape(out: Path) -> None:
    page = (out / "results.md").read_text()
    assert "| weighting | modalities | weights (emotion, gender) |" in page
    assert "test NLL: sum; mean = emotion + gender" in page
    assert "emotion ACC (WA) | emotion BACC (UA) | gender ACC (WA) | gender BACC (UA) |" in page
    row = next(line for line in page.splitlines() if "| static | audio+video |" in line)
    assert "0.500, 0.500" in row
    assert "±" in row
    assert "nan" not in page


def test_the_page_draws_the_joint_loss_and_the_weights(out: Path) -> None:
    """The second paper's Fig. 2: a figure per row, with both parts of the joint loss."""
    page = (out / "report.html").read_text("utf-8")
    assert page.count(">joint, training<") == page.count(">joint, validation<") == 3
    assert page.count(">weight<") == 3


def test_nll_by_hand_and_of_an_impossible_prediction() -> None:
    table = pd.DataFrame(
        {"t": ["a", "b", "", "b"], "t_p_a": [0.25, 0.9, 0.5, 1.0], "t_p_b": [0.75, 0.1, 0.5, 0.0]}
    )
    np.testing.assert_allclose(
        utterance_nll(*probabilities_of(table, "t", ["a", "b"])), [math.log(4), math.log(10), -math.log(5e-7)]
    )


def test_figure_draws_what_metrics_say(out: Path, tmp_path: Path) -> None:
    folders = runs_of(out, "softmax")
    figure = training_figure({"softmax": folders, "static": runs_of(out, "static")[:1]})
    assert len(figure.axes) == 4
    losses, weights = figure.axes[:2]
    metrics = [pd.read_csv(folder / "metrics.csv") for folder in folders]
    lines = {line.get_label(): line.get_ydata() for line in losses.get_lines()}
    assert set(lines) == {
        f"{what}, {part}" for what in ("joint", "emotion", "gender") for part in ("training", "validation")
    }
    np.testing.assert_allclose(lines["joint, training"], np.mean([m["train_joint"] for m in metrics], axis=0))
    joint = [
        m.weight_emotion * m.validation_loss_emotion + m.weight_gender * m.validation_loss_gender
        for m in metrics
    ]
    np.testing.assert_allclose(lines["joint, validation"], np.mean(joint, axis=0))
    shown = {line.get_label(): line.get_ydata() for line in weights.get_lines()}
    np.testing.assert_allclose(shown["gender"], np.mean([m["weight_gender"] for m in metrics], axis=0))
    save_figure(figure, tmp_path / "losses.png")
    assert (tmp_path / "losses.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(AffuseError, match=r"has no metrics\.csv"):
        training_figure({"x": [tmp_path]})


def test_a_rating_has_no_nats(out: Path, tmp_path: Path) -> None:
    table = pd.read_csv(runs_of(out, "softmax")[0] / "metrics.csv")
    assert (
        training_figure({"classes": [runs_of(out, "softmax")[0]]}).axes[0].get_ylabel()
        == "nats per utterance"
    )
    rated = {"train_loss_v": 0.5, "validation_loss_v": 0.6, "validation_ccc_v": 0.4, "weight_v": 0.3}
    table.assign(**rated).to_csv(tmp_path / "metrics.csv", index=False)
    assert training_figure({"with a rating": [tmp_path]}).axes[0].get_ylabel() == "loss"
