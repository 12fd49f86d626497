"""What a small form changes is told beside the protocol's own text."""

from affuse.recipe import Recipe
from affuse.reproduction.changes import changes_in_words


def test_every_changed_field_is_told_once_with_both_values() -> None:
    full = Recipe.load("server", ["training.batch_size=1", "training.epochs=101"])
    other = Recipe.load("3m-ser", ["training.batch_size=1", "training.epochs=200"])
    small = Recipe.load(
        "demo-server", ["training.schedule=null", "training.epochs=30", "training.patience=null"]
    )
    kept = {name: getattr(full, name) for name in ("protocol", "optimizer", "fusion", "head")}
    small, other = small.model_copy(update=kept), other.model_copy(update=kept)
    assert changes_in_words([(small, full), (small, other)]) == (
        "Besides the encoders, these settings differ from the full form: training.epochs 30 (in full 101 or 200); "
        "training.batch_size 32 (in full 1); "
        "training.schedule none (in full every 30, factor 0.1)."
    )
    assert changes_in_words([(full, full)]) == ""


def test_fusion_and_head_are_told_too() -> None:
    here = Recipe.load("3m-ser", ["fusion.options.heads=2", "head.dropout=0.45"])
    assert changes_in_words([(here, Recipe.load("3m-ser"))]) == (
        "Besides the encoders, these settings differ from the full form: fusion.options.heads 2 (in full 8); "
        "head.dropout 0.45 (in full 0.5)."
    )


def test_a_loss_and_a_split_are_told_too() -> None:
    full = Recipe.load("server")
    here = Recipe.load("server", ["loss=0.5*center", "protocol.kind=group_k_fold"])
    told = changes_in_words([(here, full)])
    assert "tasks.emotion.loss name center, weight 0.5" in told
    assert "protocol.kind group_k_fold (in full leave_one_group_out)" in told
