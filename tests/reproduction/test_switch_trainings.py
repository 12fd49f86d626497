"""A switch that stops a network from training says so beside its effect."""

from pathlib import Path

from affuse.recipe import Recipe
from affuse.reproduction.definition import Switch
from affuse.reproduction.effects import effects, untrained_variants
from affuse.training.cache import FeatureCache
from affuse.training.compare import compare
from affuse.training.variants import Variant
from quiet import Quiet
from small_corpus import make_corpus

FACE = [
    "modalities.text=null", "modalities.audio=null", "epochs=3", "protocol.by=session",
    "protocol.validation={groups: 1}",
    "modalities.face={encoder: precomputed, standardise: true, options: {name: face}}", "training.batch_size=4",
    "optimizer.lr=0.01",
]  # fmt: skip


def test_effects_tell_of_trainings_that_did_not_train(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, speakers=6, each=4)
    variants = [
        Variant({"row": name, "seed": "0"}, Recipe.load("server", [*FACE, *changes]))
        for name, changes in {
            "base": [],
            "other": ["training.select=last"],
            "still": ["optimizer.lr=1e-9", "head.dropout=0"],  # whose noise would be taken for a change
        }.items()
    ]
    comparison = compare(
        variants, corpus, tmp_path / "out", FeatureCache(tmp_path / "cache"), Quiet(), jobs=1
    )
    untrained = untrained_variants(comparison)
    assert list(untrained) == ["still"]
    assert "is no better than chance (33.3; p = " in untrained["still"]
    assert " of 3 runs never left the start" in untrained["still"]
    switches = [Switch(name=name, does="", source="", rows=["x"], set={}) for name in ("other", "still")]
    pairs = [(switch, "x", "base", switch.name) for switch in switches]
    table = effects(pairs, comparison, [0], untrained).groupby("switch")["trainings"].first()
    assert table["other"] == ""
    assert table["still"] == f"switched: {untrained['still']}"
