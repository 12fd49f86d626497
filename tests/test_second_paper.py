"""The second paper's recipes: their sizes, settings and protocols."""

import pytest

import affuse
from affuse.recipe import Recipe

AUDIO, VIDEO, LSTM_BOTH = 3_240 + 6_400_040, 23_508_032, 3_672_064 + 526_336
HEADS = 256 * 4 + 4 + 256 * 2 + 2
TOTALS = {
    "um-dynamic-a": 8_506_070,
    "um-dynamic-v": 26_397_254,
    "mm-static": 34_111_254,
    "mm-dynamic": 34_111_254,
}


@pytest.mark.parametrize("name", TOTALS)
@pytest.mark.parametrize("honest", [False, True])
def test_the_papers_settings(name, honest):
    recipe = Recipe.load(f"{name}-honest" if honest else name)
    assert recipe.optimizer.lr == 1e-4
    assert recipe.optimizer.clip_norm == 1.0
    assert recipe.training.epochs == 100
    assert recipe.training.schedule is not None
    assert (recipe.training.schedule.every, recipe.training.schedule.factor) == (10, 0.1)
    assert recipe.weighting.name == name.replace("dynamic", "softmax").split("-")[1]
    assert list(recipe.tasks) == ["emotion", "gender"]
    assert recipe.protocol.allow_speaker_overlap is not honest
    twin = Recipe.load(name).model_dump()
    for key in ("tasks", "modalities", "fusion", "head", "weighting", "optimizer", "training"):
        assert recipe.model_dump()[key] == twin[key]


@pytest.mark.parametrize("name", TOTALS)
def test_parameter_totals(name):
    model = affuse.build(name)
    assert model.trainable_parameters() == TOTALS[name]
    parts = {part: sum(p.numel() for p in encoder.parameters()) for part, encoder in model.encoders.items()}
    assert parts == {part: {"audio": AUDIO, "video": VIDEO}[part] for part in parts}
    if name.startswith("mm"):
        assert TOTALS[name] == AUDIO + VIDEO + LSTM_BOTH + HEADS
