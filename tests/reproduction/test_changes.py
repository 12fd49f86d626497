"""What a small form changes is told beside the protocol's own text."""

from affuse.recipe import Recipe
from affuse.reproduction.changes import changes_in_words


def test_every_changed_field_is_told_once_with_both_values():
    full = Recipe.load("server", ["training.batch_size=1", "training.epochs=101"])
    other = Recipe.load("3m-ser", ["training.batch_size=1", "training.epochs=200"])
    small = Recipe.load(
        "demo-server", ["training.schedule=null", "training.epochs=30", "training.patience=null"]
    )
    small = small.model_copy(update={"protocol": full.protocol, "optimizer": full.optimizer})
    assert changes_in_words([(small, full), (small, other)]) == (
        "Not as told above: training.epochs 30 (in full 101 or 200); training.batch_size 32 (in full 1); "
        "training.schedule none (in full every 30, factor 0.1)."
    )
    assert changes_in_words([(full, full)]) == ""


def test_a_loss_and_a_split_are_told_too():
    full = Recipe.load("server")
    here = Recipe.load("server", ["loss=0.5*center", "protocol.kind=group_k_fold"])
    told = changes_in_words([(here, full)])
    assert "tasks.emotion.loss name center, weight 0.5" in told
    assert "protocol.kind group_k_fold (in full leave_one_group_out)" in told
