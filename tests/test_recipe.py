"""Recipes as data: packaged ones, overrides, and what a mistake is told."""

import pytest

from affuse.errors import AffuseError
from affuse.recipe import Recipe, loss_name, packaged_recipes, parse_loss


def test_every_packaged_recipe_loads_and_survives_its_own_yaml(tmp_path):
    assert {"server", "3m-ser"} <= set(packaged_recipes())
    for name in packaged_recipes():
        recipe = Recipe.load(name)
        assert recipe.name == name
        (tmp_path / "again.yaml").write_text(recipe.to_yaml())
        assert Recipe.load(tmp_path / "again.yaml") == recipe


def test_the_papers_settings():
    recipe = Recipe.load("3m-ser")
    assert recipe.optimizer.lr == 1e-4
    assert (recipe.training.epochs, recipe.training.schedule.every, recipe.training.schedule.factor) == (
        250,
        30,
        0.1,
    )


def test_losses_as_text():
    recipe = Recipe.load("server", ["loss=cross_entropy+0.5*contrastive_center"])
    first, second = recipe.tasks["emotion"].loss
    assert (first.name, first.weight, second.name, second.weight) == (
        "cross_entropy",
        1.0,
        "contrastive_center",
        0.5,
    )
    assert loss_name(recipe.tasks["emotion"].loss) == "cross_entropy+0.5*contrastive_center"
    with pytest.raises(ValueError, match="is not a loss"):
        parse_loss("cross_entropy,center")


def test_overrides_reach_any_field():
    recipe = Recipe.load(
        "3m-ser",
        [
            "optimizer.lr=3e-4",
            "classes=a,b",
            "training.patience=5",
            "tasks.gender.loss=cross_entropy",
            "seed=7",
        ],
    )
    assert recipe.optimizer.lr == pytest.approx(3e-4)
    assert recipe.tasks["emotion"].classes == ["a", "b"]
    assert recipe.training.patience == 5
    assert list(recipe.tasks) == ["emotion", "gender"]
    assert recipe.seed == 7


def test_a_star_sets_a_field_of_every_modality_or_task():
    recipe = Recipe.load("server", ["modalities.*.dropout=0.3", "modalities.text.dropout=0.1"])
    assert [part.dropout for part in recipe.modalities.values()] == [0.1, 0.3]
    alone = Recipe.load("server", ["modalities.text=null", "modalities.*.standardise=true"])
    assert alone.modalities["audio"].standardise
    with pytest.raises(AffuseError, match="no section 'modality'"):
        Recipe.load("server", ["modality.*.dropout=0.3"])


def test_another_encoder_drops_the_old_ones_options():
    recipe = Recipe.load("3m-ser", ["modalities.audio.encoder=logmel"])
    assert recipe.modalities["audio"].options == {}
    same = Recipe.load("3m-ser", ["modalities.audio.encoder=vggish"])
    assert same.modalities["audio"].options["quantise"] is True


def test_modalities_come_and_go():
    recipe = Recipe.load("3m-ser", ["modalities.text=null", "modalities.face.encoder=precomputed"])
    assert list(recipe.modalities) == ["audio", "face"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.lrr=1", r"optimizer\.lrr: There is no 'lrr' among the keys here \(did you mean 'lr'\?\)"),
        ("optimiser.lr=1", r"optimiser: .*did you mean 'optimizer'"),
        ("fusion.name=concatt", r"fusion\.name: .*did you mean 'concat'"),
        ("loss=centre", r"tasks\.emotion\.loss.*did you mean 'center'"),
        ("modalities.audio.encoder=vgish", r"did you mean 'vggish'"),
        ("optimizer.lr=-1", r"optimizer\.lr: .*greater than 0"),
        ("training.epochs=many", r"training\.epochs: .*integer"),
        ("protocol.kind=leave_one_out", r"protocol\.kind"),
        ("head.dropout=1.5", r"head\.dropout"),
        ("optimizer.lr", r"--set takes key=value"),
        ("name.x=1", r"'name' holds '3m-ser', which has no field 'x'"),
        ("weighting.name=softmaxx", r"did you mean 'softmax'"),
    ],
)
def test_a_mistake_is_one_sentence_with_the_cure(override, message):
    with pytest.raises(AffuseError, match=message) as caught:
        Recipe.load("3m-ser", [override])
    assert "\n" not in str(caught.value)


def test_unknown_recipes_and_broken_files(tmp_path):
    with pytest.raises(AffuseError, match="did you mean '3m-ser'"):
        Recipe.load("3mser")
    with pytest.raises(AffuseError, match="no recipe file"):
        Recipe.load(tmp_path / "gone.yaml")
    (tmp_path / "bad.yaml").write_text("name: [")
    with pytest.raises(AffuseError, match="cannot be read as YAML"):
        Recipe.load(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- a")
    with pytest.raises(AffuseError, match="no mapping"):
        Recipe.load(tmp_path / "list.yaml")


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("modalities.audo.encoder=logmel", "audio"),
        ("modalities.txt.dropout=0.3", "text"),
        ("tasks.emotoin.loss=center", "emotion"),
    ],
)
def test_a_misspelt_modality_or_task_adds_none(override, meant):
    with pytest.raises(AffuseError, match=f"did you mean '{meant}'"):
        Recipe.load("3m-ser", [override])


def test_a_modality_of_another_name_is_added():
    recipe = Recipe.load("3m-ser", ["modalities.face.encoder=precomputed", "modalities.face.options.name=au"])
    assert list(recipe.modalities) == ["text", "audio", "face"]


def test_a_modality_that_is_removed_stays_so_whatever_was_set_of_it():
    recipe = Recipe.load("3m-ser", ["modalities.audio.standardise=true", "modalities.audio=null"])
    assert list(recipe.modalities) == ["text"]
