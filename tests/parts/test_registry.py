"""Registering parts of one's own: what is refused, what a worker process sees, where a part comes from."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import Field

import affuse
import command
from affuse.corpora.corpus import Corpus, Utterance
from affuse.encoders import Encoder, EncoderOptions, LogMelEncoder, LogMelOptions, Reading
from affuse.errors import AffuseError
from affuse.fusion import Fusion
from affuse.losses import CenterLoss, CrossEntropyLoss, Reduction, TaskLoss
from affuse.models.loading import load_model
from affuse.models.network import Model
from affuse.models.parts import only_here
from affuse.models.saving import save_model
from affuse.parts import registry
from affuse.parts.options import Options
from affuse.parts.origins import code_of, origin_of
from affuse.recipe import Recipe
from affuse.sequence import FeatureSequence
from affuse.weighting import SoftmaxWeighting, Weighting
from affuse.workers import begin_worker, worker_pool
from in_worker import module_of_loss
from small_corpus import make_corpus

SPACES = {"emotion": ["anger", "neutral"]}


class Squared(TaskLoss):
    """A loss of this test's."""

    reads_logits = True

    def __init__(
        self, num_classes: int, dim: int, reduction: Reduction = "mean", *, power: float = 2.0
    ) -> None:
        super().__init__(num_classes, dim, reduction)
        self.power = power

    def per_utterance(self, logits: Any, embedding: Any, labels: Any) -> Any:
        return (logits.softmax(-1).gather(1, labels[:, None]).squeeze(1) - 1).abs() ** self.power


class PowerOptions(Options):
    power: float = Field(default=2.0, ge=1)


class AsOneObject(TaskLoss):
    """Options in the other way."""

    reads_logits = True

    def __init__(
        self,
        num_classes: int,
        dim: int,
        reduction: Reduction = "mean",
        *,
        options: PowerOptions | None = None,
    ) -> None:
        super().__init__(num_classes, dim, reduction)
        self.power = (options or PowerOptions()).power

    def per_utterance(self, logits: Any, embedding: Any, labels: Any) -> Any:
        return logits.square().sum(-1) ** self.power


class Unfinished(TaskLoss):
    pass


class Untyped(Squared):
    def __init__(self, num_classes, dim, reduction="mean", *, power=2.0):  # pyright: ignore[reportMissingParameterType]
        super().__init__(num_classes, dim, reduction)


class NeedsMore(Squared):
    def __init__(self, num_classes: int, dim: int, reduction: Reduction = "mean", *, power: float) -> None:
        super().__init__(num_classes, dim, reduction, power=power)


class OtherOrder(Squared):
    def __init__(self, dim: int, num_classes: int, reduction: Reduction = "mean") -> None:
        super().__init__(num_classes, dim, reduction)


class NoKind(Encoder):
    @classmethod
    def width_of(cls, options: EncoderOptions) -> int:
        return 1

    @classmethod
    def reading_of(cls, options: EncoderOptions) -> Reading:
        return Reading(torch.float32, (), "sample")

    def read(self, utterance: Utterance) -> Any:
        return None

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        return clips


class Louder(LogMelEncoder):
    """Reads what our encoder does not."""

    def read(self, utterance: Utterance) -> Any:
        clip = super().read(utterance)
        return None if clip is None else clip + 1


def with_positional(source: Path, out: Path, name: str = "mine") -> Corpus:
    raise NotImplementedError


def without_out(source: Path) -> Corpus:
    raise NotImplementedError


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], Any]:
    """What a test registers, which does not outlive it."""
    found: dict[tuple[str, str], Any] = {}
    monkeypatch.setattr(registry, "_registered", found)
    return found


def _terms(model: Model) -> list[Any]:
    loss: Any = model.losses["emotion"]
    return list(loss.terms)


def test_a_registered_part_is_found_by_name_and_works_in_a_recipe() -> None:
    assert affuse.register("losses", "squared", Squared) is Squared
    assert registry.get("losses", "squared") is Squared
    assert "squared" in registry.names("losses")
    data = {"name": "r", "modalities": {"audio": {"encoder": "logmel"}}}
    recipe = Recipe.parse(data).changed(["tasks.emotion.loss=0.5*squared+center"])
    model = Model(recipe, SPACES)
    assert [type(term) for term in _terms(model)] == [Squared, CenterLoss]


def test_options_may_come_one_by_one_or_as_one_object() -> None:
    affuse.register("losses", "squared", Squared)
    affuse.register("losses", "object", AsOneObject)
    data = {"name": "r", "modalities": {"audio": {"encoder": "logmel"}}}
    for name in ("squared", "object"):
        terms = [{"name": name, "options": {"power": "3"}}]
        model = Model(Recipe.parse(data | {"tasks": {"emotion": {"loss": terms}}}), SPACES)
        assert [term.power for term in _terms(model)] == [3.0]
        terms = [{"name": name, "options": {"power": "three"}}]
        with pytest.raises(AffuseError, match=r"loss\.0\.options\.power is 'three', which is not a number"):
            Model(Recipe.parse(data | {"tasks": {"emotion": {"loss": terms}}}), SPACES)
    with pytest.raises(AffuseError, match=r"PowerOptions\.power is 0; it must be at least 1"):
        PowerOptions(power=0)
    with pytest.raises(AffuseError, match="PowerOptions: There is no option 'pow'"):
        PowerOptions(pow=1)  # type: ignore[call-arg]
    with pytest.raises(AffuseError, match=r"AsOneObject: .*power is 0; it must be at least 1"):
        AsOneObject(2, 3, options={"power": 0})  # type: ignore[arg-type]


def test_a_part_of_the_script_itself_is_compared_in_this_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    affuse.register("losses", "in_main", type("Mine", (CrossEntropyLoss,), {"__module__": "__main__"}))
    make_corpus(tmp_path, speakers=4, each=1)
    small = ["modalities.text=null", "modalities.audio={encoder: logmel, options: {bands: 8}}", "epochs=1"]
    protocol = ["protocol.kind=group_k_fold", "protocol.folds=2", "protocol.validation.fraction=0.2"]
    changes = [word for change in (*small, *protocol) for word in ("--set", change)]
    words = [
        "compare",
        "server",
        tmp_path / "corpus",
        "--out",
        tmp_path / "grid",
        "--no-baseline",
        "--jobs",
        "2",
    ]
    words += ["--over", "loss=in_main,cross_entropy", "--fold", "0", *changes]
    ran = command.affuse(capsys, monkeypatch, *words, "--set", "training.engine=lightning")
    assert ran.code == 0, ran.err
    said = " ".join((ran.out + ran.err).split())
    assert "Some runs are made one by one: a script or notebook defines the loss 'in_main'." in said


def test_register_decorates() -> None:
    @affuse.register("losses", "same2")
    class Same(CrossEntropyLoss):
        pass

    assert registry.get("losses", "same2") is Same
    assert Recipe.parse(
        {"name": "r", "modalities": {"a": {"encoder": "hog"}}, "tasks": {"emotion": {"loss": "2*same2"}}}
    )


def test_a_name_that_is_taken_is_refused_but_for_the_very_part() -> None:
    affuse.register("losses", "center", CenterLoss)  # it is what it says
    affuse.register("losses", "squared", Squared)
    affuse.register("losses", "squared", Squared)
    with pytest.raises(
        AffuseError, match=r"There is a loss 'center' already \(affuse .*another name, such as 'my_center'"
    ):
        affuse.register("losses", "center", Squared)
    with pytest.raises(AffuseError, match="There is a loss 'squared' already"):
        affuse.register("losses", "squared", CrossEntropyLoss)


def test_a_cell_that_is_run_again_replaces_its_part() -> None:
    again = type("Squared", (Squared,), {"__module__": Squared.__module__, "__qualname__": "Squared"})
    affuse.register("losses", "squared", Squared)
    affuse.register("losses", "squared", again)
    assert registry.get("losses", "squared") is again


@pytest.mark.parametrize(
    ("family", "name", "part", "message"),
    [
        ("loss", "x", Squared, r"There is no 'loss' among the families of parts \(did you mean 'losses'\?\)"),
        ("losses", "My-Loss", Squared, "'My-Loss' cannot be the name of a loss: use lower-case letters"),
        ("losses", "x", Squared(2, 3), "must be a class derived from affuse.losses.TaskLoss"),
        ("losses", "x", torch.nn.CrossEntropyLoss, "must be a class derived from affuse.losses.TaskLoss"),
        ("losses", "x", Unfinished, r"The loss 'x' lacks per_utterance\(\)"),
        (
            "losses",
            "x",
            Untyped,
            "its option 'power' has no annotation; write for example power: float = 1.0",
        ),
        ("losses", "x", NeedsMore, "its option 'power' needs a default"),
        (
            "losses",
            "x",
            OtherOrder,
            "its constructor must begin with num_classes, dim, reduction, not with dim",
        ),
        ("weightings", "x", Weighting, r"The weighting 'x' lacks forward\(\), weight_vector\(\)"),
        ("weightings", "x", Squared, "must be a class derived from affuse.weighting.Weighting"),
        ("fusions", "x", Fusion, r"The fusion 'x' lacks forward\(\)"),
        ("encoders", "x", NoKind, "The encoder 'x' lacks kind, the column of the corpus that it reads"),
        ("corpora", "x", Corpus, r"must be a function prepare\(source, out, \*, ...\)"),
        ("corpora", "x", with_positional, "its option 'name' must come after a *"),
        ("corpora", "x", without_out, "lacks the parameter out"),
    ],
)
def test_what_lacks_something_is_refused_at_once(family: str, name: str, part: Any, message: str) -> None:
    with pytest.raises(AffuseError, match=message.replace("a *", r"a \*")):
        affuse.register(family, name, part)
    assert (family, name) not in registry.carried()


def test_the_origin_of_a_part() -> None:
    assert registry.origin("losses", "center")[:2] == ("affuse", affuse.__version__)
    affuse.register("losses", "squared", Squared)
    assert registry.origin("losses", "squared")[:2] == ("", "")
    assert registry.origin("losses", "squared").path.endswith(":Squared")


def test_a_folder_that_a_package_brings_too_is_not_the_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many packages install a ``tests`` or ``examples`` beside themselves by mistake."""
    for folder, name in (("site", "helpers_of_both"), ("site", "only_theirs"), ("mine", "helpers_of_both")):
        (tmp_path / folder / name).mkdir(parents=True)
        (tmp_path / folder / name / "__init__.py").write_text(MODULE)
    about = tmp_path / "site" / "careless-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: careless\nVersion: 1.0\n")
    (about / "top_level.txt").write_text("helpers_of_both\nonly_theirs\nin_place_of_them\n")
    for folder in ("site", "mine", "in_place"):
        monkeypatch.syspath_prepend(str(tmp_path / folder))
    (tmp_path / "in_place").mkdir()
    (tmp_path / "in_place" / "in_place_of_them.py").write_text(MODULE)
    found = {}
    for name in ("helpers_of_both", "only_theirs", "in_place_of_them"):
        module = importlib.import_module(name)
        found[name] = origin_of(module.Mine)[:2]
        del sys.modules[name]
    assert found == {
        "helpers_of_both": ("", ""),
        "only_theirs": ("careless", "1.0"),
        "in_place_of_them": ("careless", "1.0"),  # as an editable one
    }


def test_an_entry_point_of_a_taken_name_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        EntryPoint("center", "mine:Loss", "affuse.losses"),
        EntryPoint("gone", "no_such_module_here:Loss", "affuse.losses"),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: [e for e in entries if e.group == group])
    registry.refresh()
    try:
        with pytest.warns(
            UserWarning, match=r"The loss 'center' of .* is not used, for affuse has one of that name"
        ):
            assert "gone" in registry.names("losses")
        assert registry.get("losses", "center") is CenterLoss
        with pytest.raises(AffuseError, match=r"The loss 'gone' of .* cannot be imported \(No module named"):
            registry.get("losses", "gone")
    finally:
        registry.refresh()


MODULE = """
from affuse.losses import CrossEntropyLoss
class Mine(CrossEntropyLoss):
    "A loss of a module beside the script."
"""


def test_a_worker_process_sees_what_was_registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beside_the_script.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    import beside_the_script  # type: ignore[import-not-found]

    affuse.register("losses", "mine", beside_the_script.Mine)
    in_main = type("Mine", (CrossEntropyLoss,), {"__module__": "__main__", "__qualname__": "Mine"})
    affuse.register("losses", "in_main", in_main)
    with worker_pool(1, begin_worker) as pool:
        assert pool.submit(module_of_loss, "mine").result() == "beside_the_script"
        with pytest.raises(
            AffuseError, match=r"The loss 'in_main' \(__main__:Mine\) cannot be imported by a worker process"
        ):
            pool.submit(module_of_loss, "in_main").result()
    recipe = Recipe.parse({"name": "r", "modalities": {"a": {"encoder": "hog"}}})
    assert only_here(recipe.changed(["tasks.emotion.loss=mine"])) == []
    assert only_here(recipe.changed(["tasks.emotion.loss=mine+in_main"])) == ["the loss 'in_main'"]
    del sys.modules["beside_the_script"]


def test_a_model_of_a_scripts_part_says_what_to_register(
    tmp_path: Path, registered: dict[tuple[str, str], Any]
) -> None:
    affuse.register("losses", "squared", Squared)
    data = {"name": "r", "modalities": {"audio": {"encoder": "logmel", "options": {"bands": 8}}}}
    save_model(
        Model(Recipe.parse({**data, "tasks": {"emotion": {"loss": "squared"}}}), SPACES), tmp_path / "model"
    )
    assert load_model(tmp_path / "model").recipe.tasks["emotion"].loss[0].name == "squared"
    del registered["losses", "squared"]
    with pytest.raises(
        AffuseError,
        match=r"needs the loss 'squared', which a script registered \(.*:Squared\); before loading, import Squared and "
        r"call affuse\.register\('losses', 'squared', Squared\)",
    ):
        load_model(tmp_path / "model")


@pytest.mark.parametrize("name", ["os:system", "imported.by.path:Part", "../evil", "evil/__init__", "evil"])
def test_nothing_in_a_recipe_or_folder_is_imported_by_path(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that can be imported, named in every place that names a part: it stays unimported."""
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    plain = {"name": "r", "modalities": {"audio": {"encoder": "logmel", "options": {"bands": 8}}}}
    for change in (
        {"modalities": {"audio": {"encoder": name}}},
        {"fusion": {"name": name}},
        {"weighting": {"name": name}},
        {"tasks": {"emotion": {"loss": [{"name": name}]}}},
    ):
        with pytest.raises(AffuseError, match="There is no"):
            Recipe.parse(plain | change)
    affuse.register("losses", "squared", Squared)
    folder = tmp_path / "model"
    save_model(Model(Recipe.parse({**plain, "tasks": {"emotion": {"loss": "squared"}}}), SPACES), folder)
    index = folder / "index.json"
    index.write_text(index.read_text().replace(f"{Squared.__module__}:Squared", name))
    load_model(folder)  # the path is for people to read
    index.write_text(index.read_text().replace('"name": "squared"', f'"name": "{name}"'))
    with pytest.raises(AffuseError, match="needs the loss"):
        load_model(folder)
    assert not {"evil", "imported"} & set(sys.modules)


def test_another_class_has_other_keys_in_the_cache() -> None:
    """Ours, one that derives from it, and the same one after a change of its source."""
    options = LogMelOptions()
    ours, louder = LogMelEncoder(options), Louder(options)
    assert ours.reading_key != louder.reading_key
    assert ours.features_key != louder.features_key
    assert code_of(LogMelEncoder) == "LogMelEncoder"
    assert code_of(Louder) == code_of(Louder)
    here = type("Made", (LogMelEncoder,), {"__module__": "__main__", "__qualname__": "Made"})
    assert code_of(here) != "Made"


def test_ours_that_are_unscaled_are_known_without_an_import() -> None:
    for name in registry.PARTS["encoders"]:
        assert registry.get("encoders", name).unscaled == registry.unscaled(name)


def test_every_part_of_ours_would_be_accepted_from_outside() -> None:
    for family, parts in registry.PARTS.items():
        for name in parts if family != "corpora" else ():
            assert registry.register(family, name, registry.get(family, name))


@pytest.mark.parametrize("kind", [CrossEntropyLoss, CenterLoss])
def test_constructors_speak_our_words(kind: type[TaskLoss]) -> None:
    with pytest.raises(
        AffuseError, match=f"{kind.__name__}: There is no option 'redction' \\(did you mean 'reduction'"
    ):
        kind(2, 3, redction="sum")  # type: ignore[call-arg]
    with pytest.raises(
        AffuseError, match=f"{kind.__name__}: missing a required argument: 'dim'; it takes num_classes, dim"
    ):
        kind(2)  # type: ignore[call-arg]
    with pytest.raises(AffuseError, match="num_classes is 'four', which is not a whole number"):
        kind("four", 3)  # type: ignore[arg-type]
    with pytest.raises(AffuseError, match="tasks is 'emotion', which is not a list"):
        SoftmaxWeighting("emotion")
