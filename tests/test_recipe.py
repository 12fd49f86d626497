"""Recipes as data: packaged ones, overrides, and what a mistake is told."""

import re
from pathlib import Path

import numpy as np
import pytest

from affuse.errors import AffuseError
from affuse.files.yaml_text import write_yaml
from affuse.recipe import Recipe, loss_name, packaged_recipes, parse_loss


def test_every_packaged_recipe_loads_and_survives_its_own_yaml(tmp_path: Path) -> None:
    assert {"server", "3m-ser"} <= set(packaged_recipes())
    for name in packaged_recipes():
        recipe = Recipe.load(name)
        assert recipe.name == name
        (tmp_path / "again.yaml").write_text(recipe.to_yaml())
        assert Recipe.load(tmp_path / "again.yaml") == recipe


def test_the_papers_settings() -> None:
    recipe = Recipe.load("3m-ser")
    assert recipe.optimizer.lr == 1e-4
    assert recipe.training.schedule is not None
    assert (recipe.training.epochs, recipe.training.schedule.every, recipe.training.schedule.factor) == (
        250,
        30,
        0.1,
    )


def test_losses_as_text() -> None:
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


def test_overrides_reach_any_field() -> None:
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


def test_a_star_sets_a_field_of_every_modality_or_task() -> None:
    recipe = Recipe.load("server", ["modalities.*.dropout=0.3", "modalities.text.dropout=0.1"])
    assert [part.dropout for part in recipe.modalities.values()] == [0.1, 0.3]
    alone = Recipe.load("server", ["modalities.text=null", "modalities.*.standardise=true"])
    assert alone.modalities["audio"].standardise
    with pytest.raises(AffuseError, match="no section 'modality'"):
        Recipe.load("server", ["modality.*.dropout=0.3"])


def test_another_encoder_drops_the_old_ones_options() -> None:
    recipe = Recipe.load("3m-ser", ["modalities.audio.encoder=logmel"])
    assert recipe.modalities["audio"].options == {}
    same = Recipe.load("3m-ser", ["modalities.audio.encoder=vggish"])
    assert same.modalities["audio"].options["quantise"] is True


def test_modalities_come_and_go() -> None:
    recipe = Recipe.load("3m-ser", ["modalities.text=null", "modalities.face.encoder=precomputed"])
    assert list(recipe.modalities) == ["audio", "face"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "optimizer.lrr=1",
            r"optimizer\.lrr: There is no 'lrr' among the fields here \(did you mean 'lr'\?\)",
        ),
        ("optimiser.lr=1", r"optimiser: .*did you mean 'optimizer'"),
        ("fusion.name=concatt", r"fusion\.name: .*did you mean 'concat'"),
        ("loss=centre", r"tasks\.emotion\.loss.*did you mean 'center'"),
        ("modalities.audio.encoder=vgish", r"did you mean 'vggish'"),
        ("optimizer.lr=-1", r"optimizer\.lr: .*greater than 0"),
        ("training.epochs=many", r"training\.epochs: .*whole number"),
        ("protocol.kind=leave_one_out", r"protocol\.kind"),
        ("head.dropout=1.5", r"head\.dropout"),
        ("optimizer.lr", r"changes no field of a recipe: write field=value"),
        ("name.x=1", r"'name' holds '3m-ser', which has no field 'x'"),
        ("weighting.name=softmaxx", r"did you mean 'softmax'"),
        ("seed=0-4", r"seed: should be a whole number, not the range '0-4'; .*over='seed=0,1,2,3,4'"),
        ("epochs=0-4", r"training\.epochs: should be a whole number, not the range '0-4'"),
        ("training.engine=0-4", r"training\.engine: should be 'auto' or 'lightning', not the range '0-4'"),
        ("seed=2..3", r"not the range '2\.\.3'; .*over='seed=2,3'"),
        ("seed=0:1000", r"not the range '0:1000'; .*over='seed=0,1000'"),
        ("seed=4-0", r"not the range '4-0'; .*over='seed=4,0'"),
        ("optimizer.lr=1e-3..1e-4", r"should be a number, not the range .*over='optimizer\.lr=1e-3,1e-4'"),
        ("optimizer.lr=1e-x", r"optimizer\.lr: should be a number, not '1e-x'\."),
        ("protocol=k_fold", r"protocol: should be fields in braces, such as \{kind: \.\.\.\}, not 'k_fold'"),
        ("tasks=emotion", r"tasks: should be fields in braces, such as \{name: \.\.\.\}, not 'emotion'"),
    ],
)
def test_a_mistake_is_one_sentence_with_the_cure(override: str, message: str) -> None:
    with pytest.raises(AffuseError, match=message) as caught:
        Recipe.load("3m-ser", [override])
    assert "\n" not in str(caught.value)


def test_unknown_recipes_and_broken_files(tmp_path: Path) -> None:
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
def test_a_misspelt_modality_or_task_adds_none(override: str, meant: str) -> None:
    with pytest.raises(AffuseError, match=f"did you mean '{meant}'"):
        Recipe.load("3m-ser", [override])


def test_a_modality_of_another_name_is_added() -> None:
    recipe = Recipe.load("3m-ser", ["modalities.face.encoder=precomputed", "modalities.face.options.name=au"])
    assert list(recipe.modalities) == ["text", "audio", "face"]


def test_a_modality_that_is_removed_stays_so_whatever_was_set_of_it() -> None:
    recipe = Recipe.load("3m-ser", ["modalities.audio.standardise=true", "modalities.audio=null"])
    assert list(recipe.modalities) == ["text"]


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("learning_rate=1", "'optimizer.lr'"),
        ("optimizer.learning_rate=1", "'optimizer.lr'"),
        ("training.lr=1", "'optimizer.lr'"),
        ("model.lr=1", "'optimizer.lr'"),
        ("epoch=3", "'training.epochs'"),
        ("batch=8", "'training.batch_size'"),
        ("dropout=0.1", "'modalities.*.dropout', 'head.dropout' or 'fusion.options.dropout'"),
        ("fusion.dropout=0.1", "'fusion.options.dropout'"),
        ("modalities.audio.pca=false", "'modalities.audio.options.pca'"),
        ("quantise=false", "'modalities.audio.options.quantise'"),
    ],
)
def test_a_field_in_the_wrong_place_is_answered_with_the_right_one(override: str, meant: str) -> None:
    field = override.partition("=")[0]
    with pytest.raises(AffuseError) as caught:
        Recipe.load("3m-ser", [override])
    assert str(caught.value) == f"recipe 3m-ser, {field}: there is no such field (did you mean {meant}?)."


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epochs=2.5", "training.epochs: should be a whole number, not 2.5"),
        ("optimizer.lr=fast", "optimizer.lr: should be a number, not 'fast'"),
        ("seed=no", "seed: should be a number, not false"),
        ("head.hidden=true", "head.hidden: should be a number, not true"),
        ("weighting.scheduled=7", "weighting.scheduled: should be true or false, not 7"),
        ("training.select=tset", "training.select: should be 'validation', 'test' or 'last', not 'tset'"),
        ("modalities={}", "modalities: Dictionary should have at least 1 item"),
    ],
)
def test_a_wrong_value_is_said_with_what_should_be_there(override: str, message: str) -> None:
    with pytest.raises(AffuseError) as caught:
        Recipe.load("3m-ser", [override])
    assert str(caught.value).startswith(f"recipe 3m-ser, {message}")


def test_changes_as_values_are_those_as_text() -> None:
    texts = [
        "optimizer.lr=3e-4",
        "loss=center",
        "classes=a,b",
        "modalities.text=null",
        "protocol.by=[session]",
    ]
    values = {
        "optimizer.lr": np.float64(3e-4), "loss": "center", "classes": ("a", "b"), "modalities.text": None,
        "protocol.by": ["session"],
    }  # fmt: skip
    assert Recipe.load("3m-ser", values) == Recipe.load("3m-ser", texts)
    assert Recipe.load("3m-ser").changed(values) == Recipe.load("3m-ser").changed(texts)
    assert Recipe.load("3m-ser", "seed=3").seed == 3  # one text is one change, not a row of letters


def test_the_yaml_of_like_recipes_is_each_ones_own() -> None:
    """It is kept for the next time: a field that differs by its type alone makes another text."""
    recipe = Recipe.load("3m-ser")
    for changes in ([], ["seed=1"], ["description=1"], ["description='1.0'"], ["optimizer.lr=1"]):
        one = recipe.changed(changes)
        assert one.to_yaml() == one.to_yaml() == write_yaml(one.model_dump())
    assert recipe.to_yaml() == write_yaml(recipe.model_dump())


def test_values_of_numpy_and_paths_are_written_as_yaml() -> None:
    recipe = Recipe.load(
        "3m-ser", {"seed": np.int64(4), "modalities.audio.options.weights": Path("a") / "b.pth"}
    )
    assert type(recipe.seed) is int
    assert recipe.modalities["audio"].options["weights"] == str(Path("a") / "b.pth")
    assert "b.pth" in recipe.to_yaml()


def test_a_recipe_is_taken_as_it_is_and_never_changes() -> None:
    recipe = Recipe.load("server")
    assert Recipe.load(recipe) is recipe
    assert Recipe.load(recipe, {"seed": 1}).seed == 1
    recipe.changed({"modalities.text": None, "fusion.options.width": 3})
    assert recipe == Recipe.load("server")


def test_short_names_of_a_recipe_without_emotion_mean_its_only_task() -> None:
    gender = Recipe.load("server", {"tasks": {"gender": {"loss": "cross_entropy"}}})
    changed = gender.changed({"loss": "center"})
    assert list(changed.tasks) == ["gender"]
    assert changed.tasks["gender"].loss[0].name == "center"
    two = gender.changed({"tasks.age.loss": "cross_entropy"})
    with pytest.raises(
        AffuseError, match=r"loss: .* no task emotion; .* one of tasks\.gender\.loss, tasks\.age\.loss"
    ):
        two.changed({"loss": "center"})


def test_a_recipe_shows_itself_in_one_line_and_in_a_notebook() -> None:
    recipe = Recipe.load("mm-dynamic", {"description": "A <b> & c."})
    assert repr(recipe) == (
        "<Recipe mm-dynamic: emotion and gender from audio (waveform) and video (resnet50); lstm; cross_entropy>"
    )
    page = recipe._repr_html_()  # pyright: ignore[reportPrivateUsage]  # what notebooks call
    assert "A &lt;b&gt; &amp; c." in page
    assert "clip_norm: 1.0" in page


def test_every_field_is_said_in_the_docstring_of_its_section() -> None:
    from affuse import recipe as sections

    for name in sections.__all__:
        section = getattr(sections, name)
        for field in getattr(section, "model_fields", ()):
            assert f"        {field}: " in section.__doc__, f"{name}.{field}"


def test_packaged_recipes_say_what_they_are_in_a_first_sentence_that_fits_a_line() -> None:
    for name in packaged_recipes():
        first = " ".join(Recipe.load(name).description.split()).split(". ")[0]
        assert 20 < len(first) <= 120, f"{name}: {first}"


def test_the_demos_recipes_leave_the_protocol_to_the_reports() -> None:
    """The demo changes one; a description that told it would be wrong above the numbers."""
    from affuse.api.demonstration import demo_variants, joint_variant

    variants = [*demo_variants(), *demo_variants(video=False), joint_variant()]
    told = {variant.recipe.name: variant.recipe.description for variant in variants}
    assert {"demo-server", "demo-3m-ser-face", "demo-mm-dynamic"} <= set(told)
    for name, description in told.items():
        assert not re.search(r"\b(folds?|sessions?|speakers?|split|tests|validates)\b", description), name


@pytest.mark.parametrize(
    "field", ["protocol.seed", "protocol.validation.groups", "protocol.folds", "corpus.min_seconds"]
)
def test_a_truth_value_is_no_number_in_any_section(field: str) -> None:
    with pytest.raises(AffuseError, match=f"{field}.*should be a number, not false"):
        Recipe.load("server", {field: False})
