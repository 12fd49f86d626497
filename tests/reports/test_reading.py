"""What a report reads: each file of a run once, and everything anew for the next report."""

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from affuse.recipe import Recipe
from affuse.reports.pages.comparison import write_comparison_page
from affuse.results.comparison_files import write_comparison
from affuse.training import runfolder
from affuse.training.cache import FeatureCache
from affuse.training.compare import compare
from affuse.training.runfolder import PREDICTIONS, RECIPE, SPLIT
from affuse.training.variants import Variant
from comparison_folder import make_comparison
from quiet import Quiet
from small_corpus import make_corpus

FACE = [
    "modalities.text=null", "modalities.audio=null", "epochs=2", "protocol.by=session",
    "protocol.validation={groups: 1}",
    "modalities.face={encoder: precomputed, standardise: true, options: {name: face}}", "training.batch_size=4",
]  # fmt: skip


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[Path]:
    """How often each table or recipe of a run was read, counted while the real readers read it."""
    found: Counter[Path] = Counter()
    for name in ("read_csv", "read_yaml_file"):
        real = getattr(runfolder, name)

        def counted(path: Path, *options: Any, real: Any = real) -> Any:
            found[path] += 1
            return real(path, *options)

        monkeypatch.setattr(runfolder, name, counted)
    return found


def test_a_page_reads_each_file_of_a_run_once(tmp_path: Path, reads: Counter[Path]) -> None:
    made = make_comparison(tmp_path / "c", {"cross_entropy": 0.8, "center": 0.6}, each=6)
    reads.clear()
    write_comparison_page(made)
    assert {path for path in reads if path.name == PREDICTIONS} == set(made.glob(f"runs/*/*/{PREDICTIONS}"))
    assert set(reads.values()) == {1}


def test_a_comparison_of_two_tasks_shares_what_its_parts_read(tmp_path: Path, reads: Counter[Path]) -> None:
    corpus = make_corpus(tmp_path, speakers=6, each=4)
    variants = [
        Variant(
            {"recipe": name, "seed": "0"},
            Recipe.load("server", [*FACE, "tasks.gender={loss: cross_entropy}", *changes]),
        )
        for name, changes in {"one": [], "two": ["optimizer.lr=0.01"]}.items()
    ]
    out = tmp_path / "out"
    comparison = compare(variants, corpus, out, FeatureCache(tmp_path / "cache"), Quiet(), jobs=1)
    assert not comparison.failed
    reads.clear()
    write_comparison(comparison, out)
    for name in (PREDICTIONS, SPLIT):
        assert {path for path in reads if path.name == name} == {run / name for run in comparison.results}
    assert any(path.name == RECIPE for path in reads)
    assert set(reads.values()) == {1}


def test_the_next_report_reads_what_has_changed(tmp_path: Path) -> None:
    made = make_comparison(tmp_path / "c", {"cross_entropy": 0.8, "center": 0.6}, each=6)
    write_comparison_page(made)
    before = pd.read_csv(made / "trainings.csv").set_index("loss")["bacc"]
    for path in made.glob(f"runs/*center*/*/{PREDICTIONS}"):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        table.assign(emotion_predicted=table["emotion"]).to_csv(path, index=False)
    write_comparison_page(made)
    after = pd.read_csv(made / "trainings.csv").set_index("loss")["bacc"]
    assert after["center"] == 1 > before["center"]
    assert after["cross_entropy"] == before["cross_entropy"]
