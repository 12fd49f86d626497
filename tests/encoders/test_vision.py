"""`vision` on small random networks in transformers' own formats, against transformers' own processing and forward."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import affuse
from affuse.corpora.corpus import Utterance
from affuse.encoders.image_steps import sides
from affuse.encoders.vision import VisionEncoder, VisionOptions
from affuse.errors import AffuseError
from affuse.models.saving import save_model
from affuse.onnx.onnx_file import export_onnx
from affuse.recipe import Recipe
from affuse.sequence import FeatureSequence, pad
from exported import assert_same
from tiny_models import tiny_bert, tiny_vision
from video_files import grey, write_video

KINDS = ("vit", "dinov2", "dinov2_with_registers", "clip", "convnext", "swin")
TOKENS = {"vit": 1, "dinov2": 1, "dinov2_with_registers": 5, "clip": 1}  # before the patches
SIDE = {"dinov2": 36, "dinov2_with_registers": 37, "convnext": 36}
OUTPUTS = [
    (kind, output)
    for kind in KINDS
    for output in ("mean", "cls", "pooled")
    if output != "cls" or kind in TOKENS
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {kind: str(tiny_vision(tmp_path_factory.mktemp(kind), kind)) for kind in KINDS}


def clip_of(kind: str, frames: int, seed: int = 0) -> torch.Tensor:
    side = SIDE.get(kind, 32)
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.integers(0, 256, (frames, side, side, 3), dtype=np.uint8))


def own_answer(folder: str, faces: torch.Tensor) -> Any:
    """Of transformers: its image processor, then the network; of CLIP its vision tower."""
    from transformers import AutoImageProcessor, AutoModel

    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    pixels = processor(list(faces.numpy()), return_tensors="pt")["pixel_values"]
    network = AutoModel.from_pretrained(folder).eval()
    network = getattr(network, "vision_model", network)
    with torch.no_grad():
        return network(pixel_values=pixels, output_hidden_states=True)


def picked(kind: str, output: str, hidden: torch.Tensor, pooled: torch.Tensor) -> torch.Tensor:
    if output == "pooled":
        return pooled.reshape(len(pooled), -1)
    if output == "cls":
        return hidden[:, 0]
    rows = hidden.flatten(2).transpose(1, 2) if hidden.dim() == 4 else hidden[:, TOKENS.get(kind, 0) :]
    return torch.stack([row.sum(dim=0) / len(row) for row in rows])


@pytest.mark.parametrize(("kind", "output"), OUTPUTS)
def test_it_equals_transformers_own_forward(models: dict[str, str], kind: str, output: str) -> None:
    encoder = VisionEncoder(VisionOptions(model=models[kind], output=output)).eval()
    faces = clip_of(kind, 3)
    answer = own_answer(models[kind], faces)
    with torch.no_grad():
        found = encoder(pad([faces]))
    expected = picked(kind, output, answer.last_hidden_state, answer.pooler_output)
    assert encoder.width_of(encoder.options) == 16
    torch.testing.assert_close(found.values[0], expected, rtol=1e-5, atol=1e-5)
    assert expected.std(dim=0).min() > 1e-4, "the frames are told apart"


@pytest.mark.parametrize("layer", [0, 1, 2, "mix"])
def test_layers_are_those_of_transformers(models: dict[str, str], layer: Any) -> None:
    encoder = VisionEncoder(VisionOptions(model=models["vit"], layer=layer)).eval()
    faces = clip_of("vit", 2)
    hidden = own_answer(models["vit"], faces).hidden_states
    with torch.no_grad():
        found = encoder(pad([faces])).values[0]
    means = torch.stack([one[:, 1:].mean(dim=1) for one in hidden], dim=1)
    torch.testing.assert_close(found, means if layer == "mix" else means[:, layer], rtol=1e-5, atol=1e-5)
    adapter = encoder.adapter_of(encoder.options)
    assert (adapter is not None) == (layer == "mix")
    if adapter is not None:
        mixed = adapter(FeatureSequence(found[None], torch.ones(1, 2, dtype=torch.bool))).values[0]
        torch.testing.assert_close(mixed, means.mean(dim=1))


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_equals_its_clips_and_padding_is_invisible(models: dict[str, str], kind: str) -> None:
    encoder = VisionEncoder(VisionOptions(model=models[kind])).eval()
    clips = [clip_of(kind, 3, 1), None, clip_of(kind, 35, 2)]  # more frames than go through together
    with torch.no_grad():
        together = encoder(pad(clips))
        dirty = pad(clips)
        dirty.values[~dirty.mask] = 200
        torch.testing.assert_close(encoder(dirty).values, together.values, rtol=0, atol=0)
        assert together.mask.sum(dim=1).tolist() == [3, 0, 35]
        assert not together.values[~together.mask].any()
        for i in (0, 2):
            alone = encoder(pad([clips[i]])).values[0]
            torch.testing.assert_close(together.values[i][together.mask[i]], alone, rtol=1e-5, atol=1e-5)
        nothing = encoder(FeatureSequence(torch.zeros(2, 1, *clips[0].shape[1:]), torch.zeros(2, 1).bool()))
    assert not nothing.values.any()


def test_it_reads_faces_at_the_size_of_its_processor(models: dict[str, str], tmp_path: Path) -> None:
    film = write_video(tmp_path / "a.mp4", [grey(i, 64, 96) for i in range(50)])
    encoder = VisionEncoder(VisionOptions(model=models["dinov2"], crop="window"))
    clip = encoder.read(Utterance("u", video=film))
    assert clip is not None
    assert clip.shape == (10, 36, 36, 3)
    assert encoder.reading_of(encoder.options).shape == (36, 36, 3)
    other = VisionEncoder(VisionOptions(model=models["convnext"], crop="window"))
    assert other.reading_key == encoder.reading_key, "what was read is shared"
    assert other.features_key != encoder.features_key


@pytest.mark.parametrize(
    ("processor", "options", "expected"),
    [
        ("ViTImageProcessorPil", {}, (224, 224)),
        ("BitImageProcessorPil", {"size": {"shortest_edge": 256}}, (256, 224)),
        ("CLIPImageProcessorPil", {}, (224, 224)),
        ("ConvNextImageProcessorPil", {"size": {"shortest_edge": 224}}, (256, 224)),
        ("ConvNextImageProcessorPil", {"size": {"shortest_edge": 224}, "crop_pct": 0.95}, (235, 224)),
        ("ConvNextImageProcessorPil", {}, (384, 384)),
    ],
)
def test_sides_of_the_public_processors(processor: str, options: dict, expected: tuple[int, int]) -> None:
    import transformers

    made = getattr(transformers, processor)(**options)
    assert sides(made, "m") == expected
    shape = made(np.zeros((expected[0], expected[0], 3), np.uint8), return_tensors="np")["pixel_values"].shape
    assert shape[2:] == (expected[1], expected[1])


def recipe(model: str, frozen: bool = True, **options: Any) -> Recipe:
    face = {"encoder": "vision", "frozen": frozen, "options": {"model": model, **options}}
    return Recipe.parse({"name": "r", "modalities": {"face": face}})


@pytest.mark.parametrize("kind", ["vit", "convnext"])
def test_trained_it_overfits_one_batch(models: dict[str, str], kind: str) -> None:
    torch.manual_seed(0)
    model = affuse.build(recipe(models[kind], frozen=False), {"emotion": ["a", "b"]}).train()
    clips = {"face": pad([clip_of(kind, 2, i) for i in range(4)])}
    labels = torch.tensor([0, 1, 1, 0])
    start = next(model.encoders["face"].network.parameters()).clone()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(model(clips).logits["emotion"], labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.05 < losses[0]
    assert not torch.equal(next(model.encoders["face"].network.parameters()), start)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frozen", [True, False])
def test_a_model_folder_gives_the_same_numbers(
    models: dict[str, str], tmp_path: Path, kind: str, frozen: bool
) -> None:
    model = affuse.build(recipe(models[kind], frozen)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    save_model(model, tmp_path / "m", self_contained=frozen)
    again = affuse.load(tmp_path / "m")
    assert Path(again.resolved["face"].options.model).is_relative_to(tmp_path / "m")
    clips = pad([clip_of(kind, 2)])
    with torch.no_grad():
        answers = []
        for one in (model, again):
            encoder = one.resolved["face"].make().eval() if frozen else one.encoders["face"]
            answers.append((encoder(clips).values, one({"face": encoder(clips) if frozen else clips})))
    torch.testing.assert_close(answers[1][0], answers[0][0], rtol=0, atol=0)
    torch.testing.assert_close(
        answers[1][1].logits["emotion"], answers[0][1].logits["emotion"], rtol=0, atol=0
    )


# ---- what cannot be used


def test_another_kind_of_model_is_told_by_its_type(tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match=r"is no image encoder \(its type is bert\).*bert reads text"):
        VisionEncoder(VisionOptions(model=str(tiny_bert(tmp_path))))


def test_weights_in_a_pickle_are_not_read(tmp_path: Path) -> None:
    folder = tiny_vision(tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(AffuseError, match=r"weights as a pickle only.*save_pretrained"):
        VisionEncoder(VisionOptions(model=str(folder)))
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(AffuseError, match=r"holds no weights; add model\.safetensors"):
        VisionEncoder(VisionOptions(model=str(folder)))


def test_a_folder_without_its_image_processor(tmp_path: Path) -> None:
    folder = tiny_vision(tmp_path)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(
        AffuseError, match=r"has no image processor \(preprocessor_config\.json\).*copy the one"
    ):
        VisionEncoder(VisionOptions(model=str(folder)))


def test_a_missing_model_names_what_a_folder_must_hold(tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match=r"config\.json is missing"):
        VisionEncoder(VisionOptions(model=str(tmp_path / "gone")))


def test_a_classifier_without_pooling_has_no_pooled_output(tmp_path: Path) -> None:
    """The layer would be random."""
    from transformers import ViTConfig, ViTForImageClassification

    tiny_vision(tmp_path)
    config = ViTConfig.from_pretrained(tmp_path)
    ViTForImageClassification(config).save_pretrained(tmp_path)
    with pytest.raises(AffuseError, match=r"has no trained pooling layer .*output: cls or mean"):
        VisionEncoder(VisionOptions(model=str(tmp_path), output="pooled"))
    encoder = VisionEncoder(VisionOptions(model=str(tmp_path), output="cls"))
    assert not [name for name, _ in encoder.named_parameters() if "pooler" in name]


def test_incomplete_weights_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = tiny_vision(tmp_path) / "model.safetensors"
    weights = load_file(file)
    del weights[next(name for name in weights if "layernorm_before.weight" in name)]
    save_file(weights, file, {"format": "pt"})
    with pytest.raises(
        AffuseError, match=r"lacks 1 of its network's weights, .*layernorm_before\.weight first"
    ):
        VisionEncoder(VisionOptions(model=str(tmp_path)))


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("vit", {"layer": 3}, "layers 0 to 2; layer 3 is not one"),
        ("vit", {"layer": -2}, "layer"),
        ("vit", {"layer": 1, "output": "pooled"}, "'pooled' is of the last layer"),
        ("convnext", {"layer": 1}, "have different widths"),
        ("convnext", {"layer": "mix"}, "have different widths"),
        ("convnext", {"output": "cls"}, r"has no \[CLS\] token"),
        ("swin", {"output": "cls"}, r"has no \[CLS\] token"),
    ],
)
def test_what_a_network_does_not_have(models: dict[str, str], kind: str, options: dict, message: str) -> None:
    with pytest.raises(AffuseError, match=message):
        VisionEncoder(VisionOptions(model=models[kind], **options))


def test_a_processor_that_does_more_is_refused(tmp_path: Path) -> None:
    """MobileViT's turns red into blue."""
    file = tiny_vision(tmp_path) / "preprocessor_config.json"
    about = json.loads(file.read_text())

    def refused(message: str, **changed: Any) -> None:
        file.write_text(json.dumps(about | changed))
        with pytest.raises(AffuseError, match=message):
            VisionEncoder(VisionOptions(model=str(tmp_path)))

    flips = {"image_processor_type": "MobileViTImageProcessor", "size": {"shortest_edge": 32}}
    crop = {"crop_size": {"height": 32, "width": 32}, "do_center_crop": True, "do_normalize": False}
    refused(r"\(MobileViTImageProcessor\w*\) does more than resize, crop, scale and", **flips, **crop)
    refused("reads pictures of 32 x 24, and faces are square", size={"height": 32, "width": 24})
    refused(r"gives no features of a picture as its image .*48", size={"height": 48, "width": 48})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frozen", [True, False])
def test_an_onnx_file_gives_the_same_numbers(
    models: dict[str, str], tmp_path: Path, kind: str, frozen: bool
) -> None:
    model = affuse.build(recipe(models[kind], frozen)).eval()
    path = export_onnx(model, tmp_path / "model.onnx", inputs="raw")
    encoders = {"face": model.resolved["face"].make().eval()} if frozen else None
    assert_same(model, path, {"face": pad([clip_of(kind, 3, 1), None, clip_of(kind, 5, 2)])}, encoders)
