"""Exported networks against PyTorch: every fusion, padded batches, missing modalities, other sizes than the example."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch

import affuse
from affuse.corpora.corpus import Corpus, Utterance
from affuse.encoders.base import Encoder
from affuse.errors import AffuseError
from affuse.evaluation.confidence import Confidence
from affuse.media.audio import read_waveform
from affuse.media.mel import RATE
from affuse.models.defaults import PredictionDefaults
from affuse.models.network import Model
from affuse.onnx.check import _Samples
from affuse.onnx.onnx_file import ExportedNetwork, export_onnx, quantise
from affuse.parts.registry import PARTS
from affuse.progress import Heard
from affuse.recipe import Recipe
from affuse.sequence import FeatureSequence, pad
from affuse.training.cache import FeatureCache
from affuse.training.experiment import set_up
from affuse.training.features import encode_clip
from affuse.training.fold import train_fold
from audio_files import sine, write_tracks
from command import affuse as command
from exported import assert_same, batch, build, feed, frozen_encoders
from quiet import Quiet
from small_corpus import make_corpus
from tiny_models import tiny_bert
from voices import recording

SMALL = {
    "attention": {"width": 16, "heads": 2},
    "bottleneck": {"width": 16, "heads": 2, "layers": 2, "fuse_from": 1, "tokens": 2},
    "concat": {"width": 16, "pool": {"audio": "mean_std", "text": "first"}},
    "cross_attention": {"width": 8, "heads": 2, "layers": 1, "self_layers": 1},
    "gated": {"width": 16},
    "late": {"width": 16},
    "lstm": {"hidden": 12},
    "opinion_pool": {
        "scores": {
            "audio": {"emotion": [[0], [3], [1, 2]], "gender": [[5], [4]]},
            "text": {"emotion": [[2], [0], [7]]},
        }
    },
}


def features(width: int, name: str) -> dict:
    return {"encoder": "precomputed", "options": {"name": name, "width": width}}


def test_every_fusion_is_covered() -> None:
    assert set(SMALL) == set(PARTS["fusions"])


@pytest.fixture(scope="module", params=SMALL)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    """A model of two frozen encoders, log-mel statistics (86 wide) and a small BERT (16), and its file."""
    folder = tmp_path_factory.mktemp(request.param)
    modalities = {
        "audio": {"encoder": "logmel", "standardise": True, "options": {"seconds": 0.5, "bands": 16}},
        "text": {"encoder": "bert", "options": {"model": str(tiny_bert(folder / "bert"))}},
    }
    model = build(modalities, request.param, SMALL[request.param])
    model.standardisers["audio"].fit(2 * torch.randn(86), torch.rand(86) + 0.5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    path = export_onnx(model, folder / "model.onnx")
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    return model, path


def test_a_fusion_gives_pytorchs_numbers_for_any_batch(exported: tuple[Model, Path]) -> None:
    model, path = exported
    session = onnxruntime.InferenceSession(path)
    assert [(i.name, i.shape) for i in session.get_inputs()] == [
        ("audio", ["batch", "audio_steps", 86]), ("audio_mask", ["batch", "audio_steps"]),
        ("text", ["batch", "text_steps", 16]), ("text_mask", ["batch", "text_steps"]),
    ]  # fmt: skip
    assert [(o.name, o.shape[0]) for o in session.get_outputs()] == [
        ("logits_emotion", "batch"), ("logits_gender", "batch"), ("embedding", "batch"),
    ]  # fmt: skip
    # padded; each modality missing from some clips, one clip without any; one clip alone; one step
    assert_same(model, path, {"audio": batch([7, 2, 0, 1, 0], 86), "text": batch([3, 0, 9, 1, 0], 16)})
    assert_same(model, path, {"audio": batch([11], 86), "text": batch([4], 16)})
    assert_same(model, path, {"audio": batch([1, 1], 86), "text": batch([0, 0], 16)})


EMODB = Path(__file__).parents[2] / ".." / "shared" / "data" / "emodb"


@pytest.mark.skipif(not EMODB.is_dir(), reason="../shared/data/emodb is not there")
def test_real_clips_through_every_fusion(exported: tuple[Model, Path]) -> None:
    """Twelve EmoDB clips with their words, sound or words missing from some."""
    model, path = exported
    rows = pd.read_csv(EMODB / "utterances.csv").iloc[::30].head(12)
    encoders = frozen_encoders(model)
    clips: dict[str, list] = {name: [] for name in encoders}
    for i, row in enumerate(rows.to_dict("records")):
        clip = Utterance(str(i), audio=EMODB / row["file"], text=row["text"])
        for j, (name, encoder) in enumerate(encoders.items()):
            clips[name].append(None if i % 5 == 3 + j else encode_clip(encoder, encoder.read(clip)))
    assert_same(model, path, {name: pad(found) for name, found in clips.items()})


def test_what_stands_in_the_padding_does_not_matter(exported: tuple[Model, Path]) -> None:
    session = onnxruntime.InferenceSession(exported[1])
    clean = feed({"audio": batch([4, 2, 0], 86), "text": batch([3, 5, 2], 16)})
    dirty = {name: value.copy() for name, value in clean.items()}
    for name in ("audio", "text"):
        dirty[name][~clean[f"{name}_mask"]] = np.nan
    for a, b in zip(session.run(None, clean), session.run(None, dirty), strict=True):
        np.testing.assert_array_equal(a, b)


SOUND = {
    "rate": 1000,
    "frames_per_second": 5,
    "filters": 4,
    "channel_pool": 2,
    "short_kernel": 8,
    "long_kernel": 33,
}
FACE = {"network": "resnet10", "base_width": 16, "stages": 2, "size": 48, "frames_per_second": 5}


@pytest.mark.parametrize("pool", ["last", "mean"])
def test_the_second_papers_network_end_to_end(tmp_path: Path, pool: str) -> None:
    """Raw samples and faces in; the long convolution has two forms, one in PyTorch and one in the file."""
    model = build(
        {
            "audio": {"encoder": "waveform", "frozen": False, "options": SOUND},
            "video": {"encoder": "resnet50", "frozen": False, "options": FACE},
        },
        "lstm",
        {"hidden": 12, "layers": 2, "pool": pool},
    )
    for module in model.modules():  # statistics that are not 0 and 1
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
    path = export_onnx(model, tmp_path / "model.onnx")
    sound = batch([1800, 0, 450, 999], scale=0.1)  # 200 samples a frame
    mask = torch.arange(6) < torch.tensor([6, 4, 0, 3])[:, None]
    faces = torch.randint(0, 256, (4, 6, 48, 48, 3), dtype=torch.uint8) * mask[..., None, None, None]
    assert_same(model, path, {"audio": sound, "video": FeatureSequence(faces, mask)})
    assert_same(model, path, {"audio": batch([437]), "video": FeatureSequence(faces[:1], mask[:1])})


def test_raw_inputs_take_the_frozen_encoders_along(tmp_path: Path) -> None:
    bert = str(tiny_bert(tmp_path / "bert"))
    model = build(
        {
            "audio": {
                "encoder": "logmel",
                "standardise": True,
                "options": {"bands": 10, "seconds": 0.2, "pitch": False},
            },
            "text": {"encoder": "bert", "options": {"model": bert}},
        },
        "gated",
        {"width": 16},
    )
    model.standardisers["audio"].fit(torch.randn(50), torch.rand(50) + 0.5)
    path = export_onnx(model, tmp_path / "raw.onnx", inputs="raw")
    tokens = torch.randint(1, 20, (4, 9)) * (torch.arange(9) < torch.tensor([9, 1, 0, 4])[:, None])
    encoders = frozen_encoders(model)
    sound = sounds(16_000, 399, 5000, 0)
    clips = {"audio": sound, "text": FeatureSequence(tokens, tokens > 0)}
    assert_same(model, path, clips, encoders | {"audio": of_samples(encoders["audio"])})
    told = {p.name: p for p in onnxruntime.InferenceSession(path).get_inputs()}
    assert str(tmp_path).encode() not in path.read_bytes()
    assert told["text"].type == "tensor(int64)"
    assert told["audio"].shape == ["batch", "audio_steps"]
    meaning = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map["inputs"]
    assert "sample of mono sound at 16000 Hz" in meaning


def sounds(*lengths: int) -> FeatureSequence:
    """Voices, 0 for a missing one; what is said in them does not matter."""
    voice = torch.from_numpy(recording(0.1, ("ang", 2.5), 0.1))
    return pad([voice[300 * i : 300 * i + length] if length else None for i, length in enumerate(lengths)])


def of_samples(encoder: Encoder):
    """The encoder on what its own ``read`` makes of each clip's samples, by numpy."""

    def run(clips: FeatureSequence) -> FeatureSequence:
        rows = zip(clips.values, clips.mask, strict=True)
        read = [encoder.from_samples(v[m].numpy()) if bool(m.any()) else None for v, m in rows]
        with torch.no_grad():
            return encoder(pad(read))

    return run


@pytest.mark.parametrize("lengths", [(40_000, 15_600, 300, 0), (1,), (31_201,)])
def test_raw_vggish_takes_samples(tmp_path: Path, lengths: tuple[Any, ...]) -> None:
    options = {"weights": None, "pca_weights": None, "quantise": False}
    model = build({"audio": {"encoder": "vggish", "options": options}})
    whole = ExportedNetwork(model, {"audio": of_sound(model)}).eval()
    clips = sounds(*lengths)
    with torch.no_grad():
        found = whole(*clips)
        wanted = model({"audio": of_samples(frozen_encoders(model)["audio"])(clips)})
    np.testing.assert_allclose(found[0], wanted.logits["emotion"], atol=1e-4)
    if len(lengths) > 1:
        path = export_onnx(model, tmp_path / "raw.onnx", inputs="raw")
        assert_same(model, path, {"audio": clips}, {"audio": of_samples(frozen_encoders(model)["audio"])})


def of_sound(model: Model):
    return model.resolved["audio"].make().eval().exportable()


@pytest.mark.parametrize("options", [{"seconds": 0.4}, {"network": "cnn", "width": 8, "pitch": False}])
def test_raw_log_mels_take_samples_and_int8_keeps_them(
    tmp_path: Path, options: dict[str, bool | float | str]
) -> None:
    modality = {
        "encoder": "logmel",
        "frozen": options.get("network") != "cnn",
        "options": {"bands": 16} | options,
    }
    model = build({"audio": modality})
    for standardiser in model.standardisers.values():
        standardiser.fit(torch.zeros(()), torch.full((), 5.0))
    encoder = frozen_encoders(model)["audio"] if modality["frozen"] else model.encoders["audio"]
    path = export_onnx(model, tmp_path / "raw.onnx", inputs="raw")
    clips = sounds(24_000, 399, 0, 9_001)
    quantise(path, tmp_path / "small.onnx")
    session, small = (onnxruntime.InferenceSession(file) for file in (path, tmp_path / "small.onnx"))
    features = of_samples(encoder)(clips)
    network = copy.deepcopy(model)
    network.encoders = torch.nn.ModuleDict()  # of a trained encoder the features are given
    with torch.no_grad():
        wanted = network({"audio": features}).logits["emotion"].numpy()
    got, rounded = (one.run(["logits_emotion"], feed({"audio": clips}))[0] for one in (session, small))
    np.testing.assert_allclose(got, wanted, atol=1e-4)
    assert np.abs(rounded - wanted).max() < 0.2 * np.abs(wanted).max()


@pytest.fixture(scope="module")
def centers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    """A model that answers with the class of the nearest center, and its file."""
    torch.manual_seed(0)
    recipe = Recipe.parse(
        {
            "name": "c",
            "tasks": {"emotion": {"loss": "contrastive_center"}, "gender": {"loss": "cross_entropy"}},
            "modalities": {"audio": features(7, "a"), "text": features(6, "t")},
        }
    )
    model = affuse.build(recipe).eval()
    return model, export_onnx(model, tmp_path_factory.mktemp("centers") / "model.onnx")


def test_nearest_center_models_export(centers: tuple[Model, Path]) -> None:
    assert_same(*centers, {"audio": batch([3, 1], 7), "text": batch([2, 4], 6)})


def test_the_metadata_say_how_to_use_the_file(centers: tuple[Model, Path]) -> None:
    model, path = centers
    told = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
    assert json.loads(told["labels"]) == model.label_spaces
    assert json.loads(told["inputs"])["audio"] == {
        "dtype": "float32", "step": [7], "meaning": "features of the encoder precomputed", "raw": False,
        "least_steps": 1,
    }  # fmt: skip
    assert json.loads(told["preprocessing"])["modalities"]["text"]["options"]["name"] == "t"
    assert told["affuse_format"] == "1"
    assert [p.name for p in path.parent.iterdir()] == ["model.onnx"]  # one file
    assert b".py" not in path.read_bytes()  # nothing of where it was made


def test_int8_is_smaller_and_close(tmp_path: Path) -> None:
    model = build(
        {"audio": features(64, "a"), "text": features(64, "t")}, "attention", {"width": 64, "heads": 2}
    )
    full, small = export_onnx(model, tmp_path / "full.onnx"), tmp_path / "small.onnx"
    quantise(full, small)
    assert small.stat().st_size < 0.6 * full.stat().st_size
    clips = {"audio": batch([7, 2, 0], 64), "text": batch([3, 0, 9], 64)}
    sessions = [onnxruntime.InferenceSession(path) for path in (full, small)]
    exact, rounded = (session.run(None, feed(clips))[0] for session in sessions)
    assert 0 < np.abs(exact - rounded).max() < 0.2 * np.abs(exact).max()


def test_a_file_written_in_int8_is_the_other_quantised(centers: tuple[Model, Path], tmp_path: Path) -> None:
    model, full = centers
    quantise(full, tmp_path / "afterwards.onnx")
    at_once = export_onnx(model, tmp_path / "at_once.onnx", int8=True)
    assert at_once.read_bytes() == (tmp_path / "afterwards.onnx").read_bytes() != full.read_bytes()


def test_encoders_that_cannot_be_exported_say_so(tmp_path: Path) -> None:
    model = build({"video": {"encoder": "hog"}})
    with pytest.raises(AffuseError, match=r"hog .* inputs='features'"):
        export_onnx(model, tmp_path / "m.onnx", inputs="raw")
    assert not list(tmp_path.iterdir())
    export_onnx(model, tmp_path / "m.onnx")
    assert ExportedNetwork(model, {}).input_names == ["video", "video_mask"]


# ---- real clips, the command, and the example

EXAMPLE = Path(__file__).parents[2] / "examples" / "run_onnx.py"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run on 72 small wav files with their words, and its corpus folder."""
    folder = tmp_path_factory.mktemp("trained")
    corpus = make_corpus(folder)
    recipe = Recipe.parse(
        {
            "name": "small",
            "tasks": {"emotion": {}, "gender": {}},
            "modalities": {
                "audio": {"encoder": "waveform", "frozen": False, "options": SOUND | {"seconds": None}},
                "text": {"encoder": "bert", "options": {"model": str(tiny_bert(folder / "bert"))}},
            },
            "fusion": {"name": "gated", "options": {"width": 16}},
            "optimizer": {"lr": 3e-3},
            "training": {"epochs": 6},
        }
    )
    experiment = set_up(corpus, recipe, FeatureCache(folder / "cache"), Quiet())
    train_fold(experiment, experiment.recipe, 0, folder / "run")
    return folder / "run", folder / "corpus"


@pytest.fixture(scope="module")
def measured(
    trained: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[pd.DataFrame, Path]:
    """The run's file on its test part, from Python, and the cache of that."""
    run, corpus = trained
    cache = tmp_path_factory.mktemp("measured") / "c"
    return affuse.measure_export(run, corpus, split=run / "split.csv", cache=cache), cache


def test_the_command_measures_the_file_on_a_corpus(
    trained: tuple[Path, Path],
    measured: tuple[pd.DataFrame, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, corpus = trained
    out = tmp_path / "a b" / "model é.onnx"
    words = [
        "export",
        run,
        out,
        "--int8",
        "--measure",
        corpus,
        "--split",
        run / "split.csv",
        "--cache",
        tmp_path / "c",
    ]
    done = command(capsys, monkeypatch, *words)
    assert done.code == 0, done.err
    assert out.is_file()
    assert "ONNX int8" in done.out
    assert "DynamicQuantizeLinear" in {node.op_type for node in onnx.load(out).graph.node}

    table = measured[0].set_index("network")
    results = json.loads((run / "results.json").read_text())["metrics"]
    for task in ("emotion", "gender"):
        assert table.loc["PyTorch", f"{task}_acc"] == pytest.approx(results[task]["acc"], abs=1e-4)
        assert table.loc["ONNX", f"{task}_bacc"] == pytest.approx(results[task]["bacc"], abs=1e-4)
        assert table.loc["ONNX", f"{task}_max_difference"] < 1e-4
        assert table.loc["ONNX", f"{task}_changed"] == 0
        assert table.loc["ONNX int8", f"{task}_max_difference"] > 0


def test_no_input_of_the_command_is_replaced(
    trained: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, corpus = trained
    split = tmp_path / "split.csv"
    split.write_bytes((run / "split.csv").read_bytes())
    for out in (split, corpus / "corpus.yaml"):
        before = out.read_bytes()
        words = ["export", run, out, "--measure", corpus, "--split", split, "--overwrite"]
        done = command(capsys, monkeypatch, *words)
        assert done.code == 2
        assert f"{out} is an input of this command" in done.err
        assert out.read_bytes() == before


def test_an_export_is_measured_from_python_by_the_same_function(
    trained: tuple[Path, Path], measured: tuple[pd.DataFrame, Path]
) -> None:
    run, corpus = trained
    table, cache = measured
    said = Heard(Quiet())
    model = affuse.load(run)
    again = affuse.measure_export(model, corpus, split=run / "split.csv", cache=cache, progress=said)
    assert list(table["network"]) == ["PyTorch", "ONNX", "ONNX int8"]
    same = ["network", "megabytes", "emotion_acc", "emotion_bacc", "emotion_changed", "n"]
    assert table[same].equals(again[same])
    assert table["n"].tolist() == [len(affuse.Run.load(run).predictions.query("role == 'test'"))] * 3
    assert "perhaps with utterances" not in " ".join(said.sentences)
    model.defaults = PredictionDefaults()  # of an older affuse: it does not know what it was trained on
    whole = affuse.measure_export(model, corpus, inputs="raw", cache=cache, progress=said)
    assert whole["n"].iloc[0] == len(Corpus.load(corpus))
    assert whole.set_index("network").loc["ONNX", "emotion_max_difference"] < 1e-4
    warned = "perhaps with utterances that the model was trained on; split='RUN/split.csv'"
    assert warned in " ".join(said.sentences)
    with pytest.raises(affuse.AffuseError, match="inputs takes features or raw, not 'both'"):
        affuse.measure_export(run, corpus, inputs="both")  # type: ignore[arg-type]


def test_samples_are_those_of_the_rows_track(tmp_path: Path) -> None:
    path = write_tracks(tmp_path / "a.mkv", {"one": sine(1, RATE, 300), "two": sine(1, RATE, 500)}, RATE)
    found = _Samples({"a": Utterance("a", audio=path, track=1)}).load("a")
    np.testing.assert_array_equal(found, read_waveform(path, RATE, track=1))


def test_bad_input_is_one_sentence(
    trained: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, _ = trained
    for words, sentence in (
        ([run, tmp_path / "m.onnx", "--inputs", "both"], "--inputs takes features or raw, not 'both'"),
        ([run, tmp_path], "is a folder; name a file"),
        ([run, tmp_path / "m.onnx", "--split", run / "split.csv"], "give --measure CORPUS too"),
        ([tmp_path / "none", tmp_path / "m.onnx"], "There is no model folder"),
    ):
        done = command(capsys, monkeypatch, "export", *words)
        assert done.code == 2
        assert sentence in done.err
    assert not list(tmp_path.iterdir())


def test_the_example_runs_without_torch(trained: tuple[Path, Path], tmp_path: Path) -> None:
    run, corpus = trained
    model = affuse.load(run)
    calibrated = Confidence(temperature=2.5, unsure_below=0.99, utterances=90, evidence=0.9)
    model.defaults = PredictionDefaults(confidence={"emotion": calibrated})
    path = export_onnx(model, tmp_path / "model.onnx", inputs="raw")
    assert len(EXAMPLE.read_text().split('"""')[2].strip().splitlines()) <= 40
    (clip, *_) = Corpus.load(corpus).utterances()
    encoder = model.resolved["text"].make()
    np.save(tmp_path / "words.npy", encoder.read(clip).numpy())
    without = (
        "import sys, runpy\n"
        "sys.modules.update(dict.fromkeys(['torch', 'affuse', 'transformers'], None))\n"  # importing them fails
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )

    def shares(*files: str) -> dict[str, dict[str, float]]:
        done = subprocess.run(
            [sys.executable, "-c", without, str(EXAMPLE), str(path), *files],
            capture_output=True,
            text=True,
            check=True,
        )
        told = {}
        for line in done.stdout.splitlines():
            task, _, rest = line.partition(" ")
            assert rest.endswith(" (unsure)") == (task == "emotion")
            rest = rest.removesuffix(" (unsure)")
            told[task] = {part.split()[0]: float(part.split()[1]) for part in rest.split(", ")}
        return told

    read = model.encoders["audio"].read(clip)
    features = encode_clip(encoder.eval(), encoder.read(clip))
    for files, clips in (
        (
            [f"audio={clip.audio}", f"text={tmp_path / 'words.npy'}"],
            {"audio": pad([read]), "text": pad([features])},
        ),
        ([f"audio={clip.audio}"], {"audio": pad([read])}),
        ([f"text={tmp_path / 'words.npy'}"], {"text": pad([features])}),
    ):
        with torch.no_grad():
            logits = model(clips).logits
        for task, found in shares(*files).items():
            cooled = logits[task][0] / (2.5 if task == "emotion" else 1.0)
            wanted = dict(zip(model.label_spaces[task], cooled.softmax(dim=0).tolist(), strict=True))
            assert found == pytest.approx(wanted, abs=6e-4)
    with pytest.raises(subprocess.CalledProcessError) as wrong:  # sound where the model takes features
        shares(f"text={clip.audio}")
    assert wrong.value.stderr == (
        f"{clip.audio}: text takes a .npy array, no sound: a row per "
        "token id of the encoder's tokenizer, special tokens included.\n"
    )
