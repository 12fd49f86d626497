"""Public classifiers: the numbers of transformers' own pipelines, batches, misfits, the heads of the table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from affuse.corpora.corpus import Utterance
from affuse.encoders.base import Encoder
from affuse.encoders.classifiers.audio import AudioClassifier
from affuse.encoders.classifiers.checkpoint import ClassifierOptions, read_checkpoint
from affuse.encoders.classifiers.image import ImageClassifier, ImageClassifierOptions
from affuse.encoders.classifiers.text import TextClassifier
from affuse.encoders.text import TextEncoder, TextOptions
from affuse.errors import AffuseError
from affuse.sequence import pad
from tiny_classifiers import EMOTIONS, labels_of, stir, tiny_audio, tiny_dimensional, tiny_image, tiny_text
from tiny_models import tiny_bert, tiny_wav2vec2

TEXTS = ["happy day", "the train comes here now we was sad", "angry"]
SECONDS = (0.5, 1.3, 0.9)


def sounds() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [
        (random.standard_normal(int(16_000 * s)) * 0.1 * (i + 1)).astype(np.float32)
        for i, s in enumerate(SECONDS)
    ]


def pictures() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (5, 48, 48, 3), dtype=np.uint8)


def by_name(answers: Any) -> list[float]:
    """A pipeline's scores in the order of EMOTIONS."""
    found = {one["label"]: one["score"] for one in answers}
    return [found[label] for label in EMOTIONS]


def assert_batch_equals_clips(encoder: Encoder[Any], clips: list[torch.Tensor]) -> torch.Tensor:
    """Missing clips among them change nothing; gives the scores, one row for each clip."""
    with torch.inference_mode():
        batch = encoder(pad([clips[0], None, *clips[1:]]))
        alone = [encoder(pad([clip])) for clip in clips]
    assert batch.present.tolist() == [True, False, *[True] * (len(clips) - 1)]
    assert not batch.values[1].any()
    rows = [batch.values[i][batch.mask[i]] for i in range(len(clips) + 1) if i != 1]
    for row, one in zip(rows, alone, strict=True):
        torch.testing.assert_close(row, one.values[0][one.mask[0]], atol=1e-5, rtol=0)
    return torch.cat(rows)


@pytest.mark.parametrize("kind", ["wav2vec2", "hubert", "wavlm", "whisper"])
def test_audio_scores_are_those_of_the_pipeline(kind: str, tmp_path: Path) -> None:
    from transformers import pipeline

    folder = tiny_audio(tmp_path / kind, kind)
    encoder = AudioClassifier(ClassifierOptions(model=str(folder))).eval()
    assert encoder.width_of(encoder.options) == 4
    scores = assert_batch_equals_clips(encoder, [torch.from_numpy(sound) for sound in sounds()])
    assert scores.std(dim=0).min() > 1e-3  # the clips differ
    theirs = pipeline("audio-classification", model=str(folder))
    for row, sound in zip(scores, sounds(), strict=True):
        logits = by_name(theirs({"raw": sound, "sampling_rate": 16_000}, function_to_apply="none"))
        np.testing.assert_allclose(row.numpy(), logits, atol=1e-5)


def test_layers_that_are_weighed_and_clips_beyond_whispers_30_seconds(tmp_path: Path) -> None:
    from transformers import pipeline

    long = (0.1 * np.random.default_rng(2).standard_normal(16_000 * 31)).astype(np.float32)
    for kind in ("wav2vec2", "whisper"):
        folder = tiny_audio(tmp_path / kind, kind, use_weighted_layer_sum=True)
        encoder = AudioClassifier(ClassifierOptions(model=str(folder))).eval()
        with torch.inference_mode():
            scores = encoder(pad([torch.from_numpy(long)])).values[0, 0]
        theirs = pipeline("audio-classification", model=str(folder))
        logits = by_name(theirs({"raw": long, "sampling_rate": 16_000}, function_to_apply="none"))
        np.testing.assert_allclose(scores.numpy(), logits, atol=1e-5)


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert"])
def test_text_scores_are_those_of_the_pipeline(kind: str, tmp_path: Path) -> None:
    from transformers import pipeline

    options = {"pad_token_id": 1} if kind == "roberta" else {}  # as RoBERTa's own
    folder = tiny_text(tmp_path / kind, kind)
    if options:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | options))
    encoder = TextClassifier(ClassifierOptions(model=str(folder))).eval()
    clips = [encoder.read(Utterance("u", text=text)) for text in TEXTS]
    scores = assert_batch_equals_clips(encoder, [clip for clip in clips if clip is not None])
    assert scores.std(dim=0).min() > 1e-3
    theirs = pipeline("text-classification", model=str(folder), top_k=None)
    for row, text in zip(scores, TEXTS, strict=True):
        np.testing.assert_allclose(
            row.numpy(), by_name(theirs([text], function_to_apply="none")[0]), atol=1e-5
        )


def test_a_text_longer_than_the_positions_is_cut(tmp_path: Path) -> None:
    for kind, longest in (
        ("bert", 40),
        ("roberta", 39),
    ):  # RoBERTa's positions begin after the padding's, here 0
        encoder = TextClassifier(ClassifierOptions(model=str(tiny_text(tmp_path / kind, kind)))).eval()
        ids = encoder.read(Utterance("u", text="day " * 100))
        assert ids is not None
        assert len(ids) == longest
        with torch.inference_mode():
            assert torch.isfinite(encoder(pad([ids])).values).all()
        assert encoder.read(Utterance("u", text="  ")) is None


@pytest.mark.parametrize("kind", ["roberta", "mpnet", "longformer"])
def test_the_longest_text_that_fits_has_a_position_for_each_token(kind: str, tmp_path: Path) -> None:
    """Of networks that count from the one after the padding's, in either encoder of text."""
    options = {"attention_window": 4} if kind == "longformer" else {}
    folder = str(tiny_text(tmp_path / kind, kind, pad_token_id=1, **options))
    for encoder in (TextClassifier(ClassifierOptions(model=folder)), TextEncoder(TextOptions(model=folder))):
        encoder.tokenizer.model_max_length = 10**30  # as of a tokenizer that names no limit
        ids = encoder.eval().read(Utterance("u", text="day " * 100))
        assert ids is not None
        assert len(ids) == 38
        with torch.inference_mode():
            assert torch.isfinite(encoder(pad([ids])).values).all()


def test_networks_that_take_the_last_token_or_no_padding_answer_alike_in_a_batch(tmp_path: Path) -> None:
    """XLNet reads its answer off the last position, GPT-2 without a padding token takes one text at a time, and BART
    counts end tokens, of which a missing text has none.
    """
    from transformers import AutoModelForSequenceClassification as Auto
    from transformers import AutoTokenizer, BartConfig, GPT2Config, XLNetConfig, pipeline

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert(tmp_path / "bert"))
    end = tokenizer.sep_token_id
    about = {"vocab_size": len(tokenizer), **labels_of(EMOTIONS)}
    shapes = {
        "xlnet": XLNetConfig(d_model=16, n_layer=2, n_head=2, d_inner=32, pad_token_id=0, **about),
        "gpt2": GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=40, eos_token_id=end, **about),
        "bart": BartConfig(
            d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
            encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=40, eos_token_id=end, pad_token_id=0,
            **about,
        ),
    }  # fmt: skip
    for kind, config in shapes.items():
        torch.manual_seed(8)
        network = Auto.from_config(config)
        stir(network)
        network.save_pretrained(tmp_path / kind)
        tokenizer.save_pretrained(tmp_path / kind)
        encoder = TextClassifier(ClassifierOptions(model=str(tmp_path / kind))).eval()
        clips = [encoder.read(Utterance("u", text=text)) for text in TEXTS]
        scores = assert_batch_equals_clips(encoder, [clip for clip in clips if clip is not None])
        theirs = pipeline("text-classification", model=str(tmp_path / kind), top_k=None)
        for row, text in zip(scores, TEXTS, strict=True):
            logits = by_name(theirs([text], function_to_apply="none")[0])
            np.testing.assert_allclose(row.numpy(), logits, atol=1e-5)
        with pytest.raises(
            AffuseError, match="takes no padded batch of texts; export with inputs='features'"
        ):
            encoder.exportable()


def test_image_scores_are_those_of_the_pipeline_for_every_picture(tmp_path: Path) -> None:
    from PIL import Image
    from transformers import pipeline

    folder = tiny_image(tmp_path / "vit")
    encoder = ImageClassifier(ImageClassifierOptions(model=str(folder), size=48)).eval()
    faces = pictures()
    clips = [torch.from_numpy(faces[:2]), torch.from_numpy(faces[2:])]
    scores = assert_batch_equals_clips(encoder, clips)
    theirs = pipeline("image-classification", model=str(folder), top_k=None)
    for row, face in zip(scores, faces, strict=True):
        logits = by_name(theirs(Image.fromarray(face), function_to_apply="none"))
        np.testing.assert_allclose(row.numpy(), logits, atol=1e-5)


def test_classes_each_for_itself_count_by_their_own_probability(tmp_path: Path) -> None:
    """Scores are ln sigmoid: a softmax gives each class its share of the sum of the probabilities."""
    from transformers import pipeline

    folder = tiny_text(tmp_path / "many", problem_type="multi_label_classification")
    encoder = TextClassifier(ClassifierOptions(model=str(folder))).eval()
    with torch.inference_mode():
        found = encoder(pad([encoder.read(Utterance("u", text=TEXTS[1]))])).values[0, 0].softmax(dim=-1)
    each = by_name(pipeline("text-classification", model=str(folder), top_k=None)([TEXTS[1]])[0])
    assert sum(each) != pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(found.numpy(), np.array(each) / sum(each), atol=1e-6)


@pytest.mark.parametrize("output", ["classifier.out_proj", "classifier.output"])
def test_heads_of_the_table_by_hand(output: str, tmp_path: Path) -> None:
    from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2Model

    folder = tiny_dimensional(tmp_path / "vad", output)
    encoder = AudioClassifier(ClassifierOptions(model=str(folder))).eval()
    assert read_checkpoint(str(folder)).labels == ("arousal", "dominance", "valence")
    assert read_checkpoint(str(folder)).scale == "degrees"
    scores = assert_batch_equals_clips(encoder, [torch.from_numpy(sound) for sound in sounds()])
    state = load_file(folder / "model.safetensors")
    body = Wav2Vec2Model.from_pretrained(folder).eval()
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(folder)
    for row, sound in zip(scores, sounds(), strict=True):
        inputs = extractor(sound, sampling_rate=16_000, return_tensors="pt")
        with torch.inference_mode():
            frames = body(**inputs).last_hidden_state[0]
        mean = sum(frames) / len(frames)
        dense = torch.tanh(state["classifier.dense.weight"] @ mean + state["classifier.dense.bias"])
        expected = state[f"{output}.weight"] @ dense + state[f"{output}.bias"]
        torch.testing.assert_close(row, expected, atol=1e-5, rtol=0)


def test_a_readout_makes_scores_of_degrees(tmp_path: Path) -> None:
    folder = str(tiny_dimensional(tmp_path / "vad"))
    plain = AudioClassifier(ClassifierOptions(model=folder)).eval()
    readout = [[1.0, 0.0, 0.0, 0.5], [0.0, 2.0, -1.0, 0.0]]
    read = AudioClassifier(ClassifierOptions(model=folder, readout=readout)).eval()
    assert read.width_of(read.options) == 2
    clip = pad([torch.from_numpy(sounds()[0])])
    with torch.inference_mode():
        arousal, dominance, valence = plain(clip).values[0, 0].tolist()
        found = read(clip).values[0, 0].tolist()
    assert found == pytest.approx([arousal + 0.5, 2 * dominance - valence], abs=1e-5)
    assert plain.features_key != read.features_key
    with pytest.raises(AffuseError, match="has 4 numbers for each of two classes or more"):
        AudioClassifier(ClassifierOptions(model=folder, readout=[[1.0, 2.0], [0.0, 1.0]]))
    classes = str(tiny_audio(tmp_path / "classes"))
    with pytest.raises(
        AffuseError, match=r"tells classes \(ang, hap, neu, sad\); leave the option readout out"
    ):
        AudioClassifier(ClassifierOptions(model=classes, readout=readout))


def test_a_network_without_a_trained_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        AffuseError, match=r"\(BertModel\) holds no trained classifier .* it lacks classifier"
    ):
        TextClassifier(ClassifierOptions(model=str(tiny_bert(tmp_path / "bert"))))
    with pytest.raises(AffuseError, match=r"\(Wav2Vec2Model\) holds no trained classifier"):
        AudioClassifier(ClassifierOptions(model=str(tiny_wav2vec2(tmp_path / "wav"))))
    # a head of the authors' own that the table does not have: transformers would draw a random one
    other = tiny_dimensional(tmp_path / "other", "classifier.last")
    with pytest.raises(AffuseError, match="holds no trained classifier"):
        AudioClassifier(ClassifierOptions(model=str(other)))
    with pytest.raises(AffuseError, match="takes the max of its hidden states"):
        AudioClassifier(ClassifierOptions(model=str(tiny_dimensional(tmp_path / "max", pooling_mode="max"))))


def test_what_is_no_classifier_at_all(tmp_path: Path) -> None:
    from transformers import VitsConfig

    VitsConfig().save_pretrained(tmp_path / "vits")
    save_file({"a": torch.zeros(1)}, tmp_path / "vits" / "model.safetensors")
    with pytest.raises(
        AffuseError, match="is of the type vits, which transformers has no audio, text or image"
    ):
        read_checkpoint(str(tmp_path / "vits"))
    text = str(tiny_text(tmp_path / "words"))
    with pytest.raises(AffuseError, match="reads text, not audio; take the encoder text_classifier"):
        AudioClassifier(ClassifierOptions(model=text))


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    folder = tiny_text(tmp_path / "words")
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    with pytest.raises(AffuseError, match=r"has no weights, no model\.safetensors"):
        read_checkpoint(str(folder))
    torch.save(state, folder / "pytorch_model.bin")
    with pytest.raises(AffuseError, match=r"as a Python pickle alone, .* write it with save_pretrained"):
        TextClassifier(ClassifierOptions(model=str(folder)))
    (folder / "model.safetensors").write_bytes(b"no such thing")
    with pytest.raises(AffuseError, match=r"model\.safetensors is damaged"):
        TextClassifier(ClassifierOptions(model=str(folder)))


@pytest.mark.parametrize("kind", ["text", "audio", "dimensional"])
def test_labels_of_another_number_than_the_heads_scores(kind: str, tmp_path: Path) -> None:
    make: dict[str, Any] = {"text": tiny_text, "audio": tiny_audio, "dimensional": tiny_dimensional}
    folder = make[kind](tmp_path / kind)
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = {"0": "ang", "1": "hap"}
    (folder / "config.json").write_text(json.dumps(config))
    part = TextClassifier if kind == "text" else AudioClassifier
    scores = 3 if kind == "dimensional" else 4
    with pytest.raises(
        AffuseError, match=rf"gives {scores} scores, and its config\.json names 2 labels \(ang, hap\)"
    ):
        part(ClassifierOptions(model=str(folder)))


def test_a_checkpoint_in_several_files(tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    folder = tiny_text(tmp_path / "words")
    whole = TextClassifier(ClassifierOptions(model=str(folder))).eval()
    network = AutoModelForSequenceClassification.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    network.save_pretrained(folder, max_shard_size="5KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    cut = TextClassifier(ClassifierOptions(model=str(folder))).eval()
    clip = pad([whole.read(Utterance("u", text=TEXTS[1]))])
    with torch.inference_mode():
        torch.testing.assert_close(cut(clip).values, whole(clip).values)


def test_a_copy_of_the_checkpoint_answers_alike(tmp_path: Path) -> None:
    folder = tiny_dimensional(tmp_path / "vad")
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-sa-4.0\n---\n")
    encoder = AudioClassifier(ClassifierOptions(model=str(folder))).eval()
    assert encoder.write_source(tmp_path / "copy", weights=True) == {"model": ".", "revision": None}
    assert (tmp_path / "copy" / "README.md").is_file()  # its licence
    copied = AudioClassifier(ClassifierOptions(model=str(tmp_path / "copy"))).eval()
    clip = pad([torch.from_numpy(sounds()[0])])
    with torch.inference_mode():
        assert torch.equal(encoder(clip).values, copied(clip).values)
    with pytest.raises(AffuseError, match="stays as it is; set its frozen: true"):
        encoder.check_trainable()
