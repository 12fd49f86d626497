"""What is told of a served model: only what is true of it, and the sound of its own corpus alone."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.metrics import silhouette_score

import affuse
from affuse.corpora.corpus import Corpus
from affuse.errors import AffuseError, ClipError
from affuse.serving.about.about import About
from affuse.training.runfolder import RunFolder
from small_corpus import make_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("about"), speakers=6, each=3)


@pytest.fixture(scope="module")
def run(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    affuse.train("voice-offline", corpus, folder, set={"epochs": 8})
    return folder


def test_a_runs_figures_are_those_of_its_report(run: Path) -> None:
    figures = About(run).figures
    titles = [figure.title for figure in figures]
    assert titles[0].startswith("Results: emotion (generated")
    assert any(title.startswith("Training") for title in titles)
    page = affuse.report(run).read_text("utf-8")
    for figure in figures:
        assert figure.alt
        assert figure.svg.startswith("<svg")
        assert figure.svg in page


def test_the_map_has_the_test_part_with_its_labels_and_answers(run: Path, corpus: Corpus) -> None:
    found = About(run, [corpus]).map()
    table = RunFolder(run).predictions("test").set_index("id")
    assert {point.id for point in found.points} == set(table.index)
    assert found.utterances == len(table)
    for point in found.points:
        assert point.labels["emotion"] == table.loc[point.id, "emotion"]
        assert point.answers["emotion"] == table.loc[point.id, "emotion_predicted"]
        assert point.audible
        assert max(abs(point.x), abs(point.y)) <= 1
    # three pitches: what the network tells apart lies apart on the map too
    places = np.array([(point.x, point.y) for point in found.points])
    assert silhouette_score(places, [point.answers["emotion"] for point in found.points]) > 0


def test_an_utterance_sounds_as_its_file(run: Path, corpus: Corpus) -> None:
    about = About(run, [corpus])
    name = about.map().points[0].id
    samples, rate = soundfile.read(io.BytesIO(about.utterance(name)))
    path = next(one.audio for one in corpus.utterances() if one.id == name)
    assert isinstance(path, Path)
    whole, native = soundfile.read(path)
    assert len(samples) / rate == pytest.approx(len(whole) / native, abs=0.01)
    assert np.abs(samples).max() == pytest.approx(np.abs(whole).max(), abs=0.05)


def test_only_utterances_of_the_map_and_of_the_runs_own_corpus_can_be_heard(
    run: Path, corpus: Corpus, tmp_path: Path
) -> None:
    trained = next(
        name for name in corpus.table["id"] if name not in RunFolder(run).predictions("test")["id"].tolist()
    )
    with pytest.raises(AffuseError, match="not on the map"):
        About(run, [corpus]).utterance(trained)
    other = make_corpus(tmp_path, speakers=6, each=3, seed=1)
    other = Corpus(other.table.assign(text="other words"), other.info, other.folder)
    about = About(run, [other])
    assert not any(point.audible for point in about.map().points)
    with pytest.raises(AffuseError, match="not at hand"):
        about.utterance(about.map().points[0].id)


def test_a_lost_file_is_a_sentence_without_the_servers_path(run: Path, corpus: Corpus) -> None:
    about = About(run, [corpus])
    name = about.map().points[-1].id
    path = next(one.audio for one in corpus.utterances() if one.id == name)
    assert isinstance(path, Path)
    away = path.with_suffix(".away")
    path.rename(away)
    try:
        with pytest.raises(ClipError) as caught:
            about.utterance(name)
        assert str(path.parent) not in str(caught.value)
    finally:
        away.rename(path)


def test_a_starter_has_a_card_licences_and_corpora_but_no_report() -> None:
    about = About("starter")
    assert about.card.startswith("# starter")
    assert about.licences["commercial"] == "yes"
    assert about.licences["verdict"] == affuse.licences("starter").verdict
    assert next(one["title"] for one in about.trained_on) == "EmoDB"
    assert about.figures == []
    assert not about.has_map
    with pytest.raises(AffuseError, match="No embeddings"):
        about.map()


def test_a_run_without_its_tables_can_be_told_of_all_the_same(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    for name in ("predictions.csv", "embeddings.npz"):
        (copy / name).unlink(missing_ok=True)
    about = About(copy)
    assert about.figures == []
    assert not about.has_map
    assert about.licences["parts"]


def test_many_utterances_are_thinned_out(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("affuse.serving.about.embedding_map.POINTS", 5)
    found = About(run).map()
    assert len(found.points) == 5
    assert found.utterances == len(pd.unique(RunFolder(run).predictions("test")["id"]))
