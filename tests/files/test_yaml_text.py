"""YAML as its writer sees it: names, numbers, keys, and what is refused."""

import re
from pathlib import Path

import pytest
import yaml

from affuse.errors import AffuseError
from affuse.files.yaml_text import read_yaml, read_yaml_file, write_yaml
from affuse.recipe import Recipe, packaged_recipes
from affuse.recipe.overrides import TEXTS


def test_names_stay_as_they_are_written_and_numbers_are_decimal() -> None:
    text = (
        "name: 01\ntasks: {emotion: {classes: [yes, 01, 1.50, 'null', no], merge: {on: off, 010: null, 1.5: x}}}\n"
        "training: {epochs: 010, lr: 1e-4, frozen: no, when: 2026-01-01, at: 12:30, none: null, hex: 0x10, odd: .inf}\n"
    )
    found = read_yaml(text, "mine.yaml", TEXTS)
    assert found["name"] == "01"
    assert found["tasks"]["emotion"] == {
        "classes": ["yes", "01", "1.50", "null", "no"], "merge": {"on": "off", "010": None, "1.5": "x"},
    }  # fmt: skip
    assert found["training"] == {
        "epochs": 10, "lr": 1e-4, "frozen": False, "when": "2026-01-01", "at": "12:30", "none": None, "hex": "0x10",
        "odd": float("inf"),
    }  # fmt: skip


def test_packaged_recipes_read_as_ever_and_come_back() -> None:
    for name, resource in packaged_recipes().items():
        text = resource.read_text(encoding="utf-8")
        assert read_yaml(text, name) == yaml.safe_load(text)
        recipe = Recipe.load(name)
        # the same bytes as ever: a finished run is known by them
        assert recipe.to_yaml() == yaml.safe_dump(recipe.model_dump(), sort_keys=False, allow_unicode=True)
        assert Recipe.parse(read_yaml(recipe.to_yaml(), name, TEXTS)) == recipe


def test_what_is_written_is_read_alike_by_both_versions() -> None:
    value = {
        "a": ["01", "yes", "1e-3", "12:30", "null", "", "~", "x: y"],
        "b": 1e-05,
        "c": None,
        "d": True,
        "e": 10,
    }
    assert read_yaml(write_yaml(value), "here") == value
    assert yaml.safe_load(write_yaml(value)) == value


def bomb():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: {c: 1, c: 2}", "mine.yaml, line 2: the key 'c' stands twice; keep one."),
        ("a: 1\n---\nb: 1", "mine.yaml holds 2 YAML documents"),
        ("a:\n\tb: 1", "indent with blanks, not tabs"),
        ("a: !!python/object/apply:os.system [ls]", "line 1: the tag"),
        ("a: !mine x", "line 1: the tag '!mine' is not read"),
        ("a: &a [*a]", "stands for too many values"),
        (bomb(), "stands for too many values"),
        ("? [a, b]\n: 1", "line 1: a key is a list or a mapping"),
        ("a: [", "cannot be read as YAML (line 1"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(AffuseError, match=re.escape(message)) as caught:
        read_yaml(text, "mine.yaml")
    assert "\n" not in str(caught.value)


def test_merges_anchors_and_encodings(tmp_path: Path) -> None:
    assert read_yaml("a: &a {p: 1, q: 2}\nb: {<<: *a, q: 3}\n", "x")["b"] == {"p": 1, "q": 3}
    path = tmp_path / "mine.yaml"
    path.write_bytes("a: é".encode("utf-16"))
    assert read_yaml_file(path) == {"a": "é"}
    path.write_bytes("a: b\nc: é".encode("latin-1"))
    with pytest.raises(AffuseError, match=r"mine\.yaml, line 2 is not UTF-8"):
        read_yaml_file(path)
    with pytest.raises(AffuseError, match=r"cannot be read \(no such file"):
        read_yaml_file(tmp_path / "gone.yaml")


def test_set_keeps_labels_and_reads_numbers() -> None:
    changes = [
        "name=01",
        "classes=yes,no,01",
        "tasks.emotion.merge={null: a, 1.50: no}",
        "lr=1e-3",
        "epochs=010",
    ]
    recipe = Recipe.load("3m-ser", [*changes, "training.patience=null", "corpus.labels.classes=4"])
    assert (recipe.name, recipe.optimizer.lr, recipe.training.epochs) == ("01", 1e-3, 10)
    assert recipe.tasks["emotion"].classes == ["yes", "no", "01"]
    assert recipe.tasks["emotion"].merge == {"null": "a", "1.50": "no"}
    assert recipe.corpus.labels is not None
    assert recipe.corpus.labels.classes == "4"
    with pytest.raises(AffuseError, match="null is not a text; write it in quotes if it is a name"):
        Recipe.load("3m-ser", ["classes=[null, a]"])
