"""The baseline beside other rows: one per split, made anew where what it reads has changed, counted once."""

import json
from pathlib import Path

import pandas as pd
import pytest

from affuse.corpora.corpus import Corpus
from affuse.evaluation.measures import ClassMeasure
from affuse.recipe import Recipe
from affuse.reports.record import read_record, write_record
from affuse.reports.sections.setting import FILES as DESCRIBED
from affuse.reports.tables.convergence import training_table
from affuse.reports.tables.results import collect_results
from affuse.reports.tables.rows import read_rows
from affuse.training.baseline import add_baseline
from affuse.training.cache import FeatureCache
from affuse.training.compare import compare
from affuse.training.comparison_folder import FILES, STATISTICS
from affuse.training.runfolder import RunFolder
from affuse.training.variants import Variant
from quiet import Quiet
from small_corpus import make_corpus

FACE = [
    "modalities.text=null", "modalities.audio=null", "modalities.face={encoder: precomputed, options: {name: face}}",
    "epochs=1", "protocol.by=session", "protocol.validation={groups: 1}",
]  # fmt: skip
RANDOM = ["protocol={kind: ratio, ratios: [0.6, 0.2, 0.2], allow_speaker_overlap: true}"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory):
    return make_corpus(tmp_path_factory.mktemp("corpus"), speakers=6, each=2)


def run(corpus: Corpus, out: Path, variants: list[Variant]):
    cache = FeatureCache(out.parent / "cache")
    comparison = compare(variants, corpus, out, cache, Quiet(), jobs=1)
    add_baseline(comparison, out, Quiet())
    return comparison


def variant(name: str, changes: list[str], seed: int = 0):
    recipe = Recipe.load("server", [*changes, f"seed={seed}"])
    return Variant({"recipe": name, "seed": str(seed)}, recipe)


def test_recipes_with_protocols_of_their_own_have_a_baseline_each(corpus: Corpus, tmp_path: Path) -> None:
    pair = [variant("fixed", FACE), variant("random", [*FACE, *RANDOM])]
    comparison = run(corpus, tmp_path / "out", pair)
    results = collect_results(comparison).query("metric == 'bacc'").set_index("recipe")
    assert list(results.index) == ["fixed", "random", "baseline of fixed", "baseline of random"]
    for name in ("fixed", "random"):
        for column in ("protocol", "stamp", "n", "folds"):
            assert results.loc[name, column] == results.loc[f"baseline of {name}", column]


def test_a_comparison_may_be_continued_with_more_modalities(corpus: Corpus, tmp_path: Path) -> None:
    out, both = tmp_path / "out", [*FACE, "modalities.again={encoder: precomputed, options: {name: face}}"]
    first = run(corpus, out, [variant("one", FACE)])
    assert len(first.results) == 6  # three folds of the network, three of the baseline
    second = run(corpus, out, [variant("one", FACE), variant("two", both)])
    assert len(second.results) == 9
    found = [json.loads(path.read_text()) for path in out.glob("runs/baseline*/*/results.json")]
    assert [one["parameters"] for one in found] == [3 * (12 + 1)] * 3


def test_another_task_or_other_classes_make_it_anew(corpus: Corpus, tmp_path: Path) -> None:
    out, tasks = tmp_path / "out", []
    changes = {
        "one": [],
        "two": ["tasks.gender.loss=cross_entropy"],
        "three": ["tasks.gender.classes=male,female"],
    }
    for name, change in changes.items():
        comparison = run(corpus, out, [variant(name, [*FACE, *change])])
        (cell,) = [cell for cell in comparison.cells if cell.variant.baseline and cell.fold == 0]
        tasks.append([name for name in RunFolder(cell.folder).predictions().columns if "_p_" in name])
    first, second, third = tasks
    assert [name for name in second if name not in first] == ["gender_p_female", "gender_p_male"]
    assert third == [*first, "gender_p_male", "gender_p_female"]


def test_where_training_has_one_class_of_a_task_the_baseline_names_it(tmp_path: Path) -> None:
    whole = make_corpus(tmp_path, speakers=2, each=3)  # a man and a woman: training hears one of them
    table = whole.table.assign(session=whole.table["speaker"])
    two = Corpus(table, whole.info, whole.folder)
    changes = [*FACE, "protocol.validation=null", "training.select=last", "tasks.gender={}"]
    comparison = run(two, tmp_path / "out", [variant("server", changes)])
    assert comparison.failed == []
    (folder,) = {c.folder for c in comparison.cells if c.variant.baseline and c.fold == 0}
    test = RunFolder(folder).predictions("test")
    assert set(test["gender_predicted"]).isdisjoint(test["gender"])


def test_its_runs_are_counted_once(corpus: Corpus, tmp_path: Path) -> None:
    out = tmp_path / "out"
    comparison = run(corpus, out, [variant("server", FACE, seed) for seed in (0, 1)])
    write_record(comparison, out)
    rows = read_rows(out, read_record(out))
    table = training_table(rows, ClassMeasure("emotion", ["anger", "sadness", "neutral"]))
    assert list(table["runs"]) == [6, 3]
    assert list(table["unknown"]) == [0, 3]
    found = collect_results(comparison).query("metric == 'bacc'").set_index("loss")
    assert found["seeds"].to_dict() == {"cross_entropy": 2, "logistic regression": 1}
    assert found["sd_seeds"].isna().to_dict() == {"cross_entropy": False, "logistic regression": True}
    assert pd.read_csv(rows[1].runs[0].folder / "split.csv")["speaker"].notna().all()


def test_every_table_of_a_report_is_known_as_an_output() -> None:
    tables = {*STATISTICS.values()}
    assert tables <= set(FILES)
    assert tables <= set(DESCRIBED)
