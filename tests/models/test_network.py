"""The two models of the first paper: parameter counts, padding, order, overfitting; what a bad recipe is told."""

import pytest
import torch

import affuse
from affuse.errors import AffuseError
from affuse.layers import Dropout
from affuse.models.building import build
from affuse.models.layers import Standardiser
from affuse.models.network import Model
from affuse.recipe import Recipe
from affuse.sequence import FeatureSequence, pad

EMOTIONS = ["anger", "happiness", "sadness", "neutral"]


@pytest.mark.parametrize(
    ("name", "parameters", "width"), [("server", 115_140, 256), ("3m-ser", 2_552_644, 128)]
)
def test_parameters_and_embedding_of_the_papers_models(name: str, parameters: int, width: int) -> None:
    """Facts section 1; no weight of BERT or VGGish is needed to count."""
    model = affuse.build(name)
    assert model.trainable_parameters() == parameters
    assert model.fusion.width == width


@pytest.mark.parametrize("loss", ["cross_entropy", "center", "contrastive_center", "cross_entropy+center"])
@pytest.mark.parametrize("name", ["server", "3m-ser"])
def test_a_batch_equals_its_clips_one_by_one(name: str, loss: str) -> None:
    torch.manual_seed(0)
    model = build(Recipe.load(name, [f"loss={loss}"])).eval()
    steps = 1 if name == "server" else 9  # SERVER takes BERT's one pooled vector
    text = [torch.randn(min(n, steps), 768) for n in (4, 9, 1)]
    audio = [torch.randint(0, 256, (n, 128)).float() for n in (2, 5, 3)]
    with torch.no_grad():
        batch = model({"text": pad(text), "audio": pad(audio)})
        for i in range(3):
            alone = model({"text": pad([text[i]]), "audio": pad([audio[i]])})
            scale = batch.logits["emotion"].abs().max()
            torch.testing.assert_close(
                batch.logits["emotion"][i] / scale, alone.logits["emotion"][0] / scale, rtol=0, atol=1e-5
            )


@pytest.mark.parametrize(
    "loss", ["cross_entropy", "cross_entropy+center", "cross_entropy+contrastive_center"]
)
@pytest.mark.parametrize("name", ["server", "3m-ser"])
def test_overfits_one_batch(name: str, loss: str) -> None:
    torch.manual_seed(0)
    model = build(Recipe.load(name, [f"loss={loss}", "head.dropout=0"]), {"emotion": EMOTIONS})
    for module in model.modules():
        if isinstance(module, Dropout):
            module.p = 0.0
    clips = {
        "text": pad([torch.randn(1 if name == "server" else 5, 768) for _ in range(8)]),
        "audio": pad([torch.randn(3, 128) for _ in range(8)]),
    }
    labels = {"emotion": torch.tensor([0, 1, 2, 3, 3, 2, 1, 0])}
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(40):
        optimizer.zero_grad()
        output = model(clips)
        model.task_losses(output, labels)["emotion"].backward()
        optimizer.step()
    assert (output.logits["emotion"].argmax(dim=1) == labels["emotion"]).all()


def test_nearest_center_without_cross_entropy_has_no_head() -> None:
    model = build(Recipe.load("server", ["loss=center"]))
    assert not model.heads
    centers = model.losses["emotion"].centered.centers
    embedding = centers.detach()[[2, 0, 3]]
    assert model._logits("emotion", embedding).argmax(dim=1).tolist() == [2, 0, 3]


def test_blank_labels_leave_their_task_out() -> None:
    model = build(Recipe.load("server", ["tasks.gender.loss=cross_entropy"]))
    output = model({"text": pad([torch.randn(1, 768)] * 2), "audio": pad([torch.randn(2, 128)] * 2)})
    blank = torch.tensor([-1, -1])
    assert set(model.task_losses(output, {"emotion": torch.tensor([1, -1]), "gender": blank})) == {"emotion"}
    assert model.task_losses(output, {"emotion": blank, "gender": blank}) == {}


def test_standardiser_by_hand_and_through_a_state_dict() -> None:
    values = torch.randn(4, 6, 3) * torch.tensor([5.0, 1.0, 0.0]) + 7
    mask = torch.rand(4, 6) > 0.3
    standardiser = Standardiser()
    steps = values[mask]
    standardiser.fit(steps.mean(0), steps.std(0, unbiased=False))
    found = standardiser(FeatureSequence(values, mask)).values
    expected = (steps - steps.mean(0)) / torch.where(steps.std(0) > 1e-6, steps.std(0, unbiased=False), 1.0)
    torch.testing.assert_close(found[mask], expected)
    assert (found[~mask] == 0).all()
    again = Standardiser()
    again.load_state_dict(standardiser.state_dict())
    torch.testing.assert_close(again(FeatureSequence(values, mask)).values, found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("modalities.audio.options.quantize=true", r"modalities\.audio\.options: .*did you mean 'quantise'"),
        ("modalities.text.options.output=all", r"modalities\.text\.options\.output is 'all', .*'tokens'"),
        (
            "fusion.options.head=8",
            r"fusion\.options: There is no 'head' among the options of attention.*'heads'",
        ),
        ("fusion.options.attend=[texts]", r"fusion\.options\.attend: .*did you mean 'text'"),
        (
            "tasks.emotion.loss=[{name: center, options: {theta: 1}}]",
            r"tasks\.emotion\.loss\.0\.options: .*'theta'",
        ),
        (
            "tasks.emotion.loss=[{name: contrastive_center, options: {theta: 0}}]",
            r"loss\.0\.options\.theta is 0; it must be above 0",
        ),
    ],
)
def test_a_recipe_that_does_not_fit_is_one_sentence(change: str, message: str) -> None:
    with pytest.raises(AffuseError, match=message):
        build(Recipe.load("3m-ser", [change]))


def test_a_task_without_known_classes_must_name_them() -> None:
    with pytest.raises(AffuseError, match="does not name the classes of the task 'mood'"):
        build(Recipe.load("server", ["tasks.mood.loss=center"]))
    model = build(Recipe.load("server", ["tasks.mood.loss=center"]), {"mood": ["up", "down"]})
    assert isinstance(model, Model)


def test_public_names() -> None:
    assert affuse.Recipe is Recipe
    assert affuse.losses.CenterLoss(4, 8).centers.shape == (4, 8)
    assert affuse.weighting.SoftmaxWeighting(["emotion", "gender"]) is not None
    assert affuse.encoders.LongConv1d(2, 3, 5, padding=(2, 2)) is not None
    assert affuse.encoders.VGGish() is not None
    with pytest.raises(AttributeError):
        _ = affuse.no_such_thing
