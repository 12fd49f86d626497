"""Modalities that a corpus lacks are left out before an encoder is loaded; recipes for sound alone; scales."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from affuse.corpora.corpus import Corpus
from affuse.errors import AffuseError
from affuse.models.loading import load_model
from affuse.recipe import Recipe
from affuse.reproduction.definition import read_definition, read_paper
from affuse.reproduction.grid import Grid
from affuse.reproduction.running import check_grid
from affuse.training.cache import FeatureCache
from affuse.training.clip_plan import read_clips
from affuse.training.compare import compare
from affuse.training.experiment import set_up
from affuse.training.fold import train_fold
from affuse.training.inputs import reads_text
from affuse.training.variants import Variant
from quiet import Quiet
from small_corpus import make_corpus
from tiny_models import tiny_wav2vec2

NOWHERE = "nobody/has-this-model"  # asking for it raises, and would take long online
SMALL = [
    "modalities.audio.encoder=logmel", "modalities.audio.options.bands=16", "protocol.kind=group_k_fold",
    "protocol.folds=2", "fusion.options.width=16", "fusion.options.heads=4", "epochs=2",
]  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory):
    return make_corpus(tmp_path_factory.mktemp("corpus"), speakers=6, each=2)


def lacking(corpus: Corpus, *columns: str):
    return Corpus(corpus.table.assign(**dict.fromkeys(columns)), corpus.info, corpus.folder)


def test_a_modality_that_no_utterance_has_is_left_out_before_its_encoder_is_asked_for(
    corpus: Corpus, tmp_path: Path
) -> None:
    recipe = Recipe.load("3m-ser", [*SMALL, f"modalities.text.options.model={NOWHERE}"])
    with pytest.raises(AffuseError, match=NOWHERE):
        set_up(corpus, recipe, None, Quiet())
    silent, cache, progress = lacking(corpus, "text"), FeatureCache(tmp_path / "cache"), Quiet()
    experiment = set_up(silent, recipe, cache, progress)
    sentence = "No utterance of small has text: the modality text is left out of the recipe."
    assert sentence in progress.said
    assert list(experiment.recipe.modalities) == ["audio"]
    train_fold(experiment, experiment.recipe, 0, tmp_path / "run")
    assert sentence in (tmp_path / "run" / "model" / "README.md").read_text()
    assert sentence in (tmp_path / "run" / "environment.json").read_text()
    comparison = compare(
        [Variant({"seed": "0"}, recipe)], silent, tmp_path / "grid", cache, Quiet(), folds=[0], jobs=1
    )
    assert not comparison.failed


def test_words_that_repeat_are_told_of_where_they_are_read(corpus: Corpus) -> None:
    same = Corpus(corpus.table.assign(text="yes"), corpus.info, corpus.folder)
    split = ["protocol.kind=group_k_fold", "protocol.folds=2"]
    text = Recipe.load("3m-ser", [*SMALL, "modalities.audio=null", "modalities.text.encoder=precomputed"])
    assert reads_text(text)
    said = Quiet()
    set_up(same, Recipe.load("voice-offline", split), None, said)
    assert not any("overlap" in one for one in said.said)


def test_a_corpus_without_labels_is_named(corpus: Corpus) -> None:
    info = corpus.info.model_copy(update={"label_spaces": {}})
    with pytest.raises(
        AffuseError, match=r"The corpus small has no labels: no column emotion or gender\. Prepare it"
    ):
        set_up(Corpus(corpus.table, info, corpus.folder), Recipe.load("voice-offline"), None, Quiet())
    # a corpus has these columns, blank, where nothing says what people feel
    info = corpus.info.model_copy(update={"label_spaces": {"gender": ["female", "male"]}})
    blank = Corpus(corpus.table.assign(emotion=None), info, corpus.folder)
    with pytest.raises(AffuseError, match=r"small has no .*emotion|'emotion'") as refused:
        set_up(blank, Recipe.load("voice-offline"), None, Quiet())
    assert "nothing says" not in str(refused.value)


def test_a_recipe_that_reads_nothing_the_corpus_has_is_refused(corpus: Corpus) -> None:
    with pytest.raises(
        AffuseError, match="No utterance of small has text or sound, which is all that the recipe 3m-ser"
    ):
        set_up(lacking(corpus, "text", "audio"), Recipe.load("3m-ser"), None, Quiet())
    faces = Recipe.load("server", ["modalities.text=null", "modalities.audio.encoder=precomputed",
                                   "modalities.audio.options.name=face"])  # fmt: skip
    with pytest.raises(AffuseError, match="No utterance of small has features_face, which is all"):
        set_up(lacking(corpus, "features_face"), faces, None, Quiet())


def test_a_corpus_whose_files_were_moved_is_told_so(corpus: Corpus, tmp_path: Path) -> None:
    moved = Corpus(corpus.table, corpus.info.model_copy(update={"media_root": str(tmp_path)}), corpus.folder)
    recipe = Recipe.load("voice-offline")
    with pytest.raises(
        AffuseError, match="None of 36 utterances can be used for the modality 'audio'"
    ) as told:
        set_up(moved, recipe, FeatureCache(tmp_path / "cache"), Quiet())
    assert str(told.value).endswith("does not exist; correct the path or the corpus's media_root.")


def test_a_papers_grid_is_not_run_without_one_of_its_modalities(corpus: Corpus) -> None:
    recipe = Recipe.load("3m-ser", ["protocol.kind=group_k_fold", "protocol.folds=2"])
    grid = Grid([Variant({}, recipe)], {}, [0])
    paper, definition = read_paper("multi-loss"), read_definition("multi-loss", "honest")
    with pytest.raises(
        AffuseError, match="No utterance of small has text, which the paper's text networks read"
    ):
        check_grid(grid, paper, definition, lacking(corpus, "text"))


def test_a_trained_models_encoder_is_not_loaded_for_a_corpus_without_its_modality(
    corpus: Corpus, tmp_path: Path
) -> None:
    recipe = Recipe.load("3m-ser", [*SMALL, f"modalities.text.options.model={NOWHERE}"])
    silent = lacking(corpus, "text")
    ids = list(silent.table["id"])
    for cache in (FeatureCache(tmp_path / "cache"), None):
        plan = read_clips(silent, recipe, ids, cache, Quiet(), require=False)
        assert plan.open()["text"].load(ids[0]) is None
        assert plan.open()["audio"].load(ids[0]) is not None


def test_the_recipes_for_sound_alone_train_and_load(corpus: Corpus, tmp_path: Path) -> None:
    heard = lacking(corpus, "text")
    encoder = tiny_wav2vec2(tmp_path / "hubert", "hubert")
    cache = FeatureCache(tmp_path / "cache")
    for name, changes in (("voice-offline", []), ("voice", [f"modalities.audio.options.model={encoder}"])):
        recipe = Recipe.load(name, [*changes, "epochs=2", "protocol.kind=group_k_fold", "protocol.folds=2"])
        assert list(recipe.modalities) == ["audio"]
        assert recipe.modalities["audio"].standardise
        experiment = set_up(heard, recipe, cache, Quiet())
        train_fold(experiment, experiment.recipe, 0, tmp_path / name)
        deviation = load_model(tmp_path / name).standardisers["audio"].deviation
        assert float(np.ptp(deviation.numpy())) > 0


@pytest.mark.parametrize(
    ("changes", "scaled"),
    [
        ([], False),  # vggish: as the paper has it
        (["modalities.audio.encoder=logmel"], True),
        (["modalities.audio.encoder=hog"], True),
        (["modalities.audio.encoder=logmel", "modalities.audio.standardise=false"], False),
        (["modalities.audio.standardise=false", "modalities.audio.encoder=logmel"], False),
        (["modalities.audio.encoder=logmel", "modalities.audio.frozen=false"], False),
        (["modalities.audio.standardise=true"], True),
        (["modalities.audio.encoder=logmel", "modalities.*.standardise=false"], False),
    ],
)
def test_features_without_a_scale_are_standardised_unless_the_recipe_says_otherwise(
    changes: list[str], scaled: bool
) -> None:
    recipe = Recipe.load("server", changes)
    assert recipe.modalities["audio"].standardise is scaled
    assert f"standardise: {str(scaled).lower()}" in recipe.to_yaml().split("audio:")[1].split("fusion:")[0]
    assert Recipe.load("server").changed(changes).modalities["audio"].standardise is scaled


def test_films_that_are_named_as_video_alone_have_sound_all_the_same(corpus: Corpus, tmp_path: Path) -> None:
    films = corpus.table.assign(video=corpus.table["audio"], audio=None, text=None)
    silent = Corpus(films, corpus.info, corpus.folder)
    with pytest.raises(
        AffuseError, match=r"has sound, .*; a film's sound is read where the column audio names"
    ):
        set_up(silent, Recipe.load("voice-offline"), None, Quiet())
    recipe = Recipe.load("voice-offline")
    plan = read_clips(
        silent, recipe, list(films["id"]), FeatureCache(tmp_path / "cache"), Quiet(), require=False
    )
    assert "column audio names the film too" in plan.skipped[0].cause
