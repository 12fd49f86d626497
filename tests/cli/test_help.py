"""What the command line says of itself: help that fits 80 columns, and mistakes that are answered at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from affuse.cli.app import app
from affuse.cli.listing import list_parts
from command import affuse

VERBS = (
    "prepare", "validate", "train", "compare", "reproduce", "evaluate", "report", "predict", "export", "push", "pull",
    "list", "demo",
)  # fmt: skip
HEAVY = {"torch", "lightning", "transformers", "sklearn", "matplotlib", "cv2"}


def commands() -> Iterator[tuple[str, ...]]:
    """Every command and group, as the words that call it."""

    def below(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield words
        for name, one in getattr(command, "commands", {}).items():
            yield from below(one, (*words, name))

    return below(get_command(app), ())


def shown(*words: str, columns: int = 80) -> str:
    done = CliRunner().invoke(
        app, [*words, "--help"], env={"COLUMNS": str(columns), "TERMINAL_WIDTH": str(columns)}
    )
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_help_fits_80_columns_and_nothing_of_it_is_cut(words: tuple[str, ...]) -> None:
    text = shown(*words)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    command = get_command(app)
    for word in words:
        command = getattr(command, "commands")[word]  # noqa: B009
    plain = "".join(text.split())
    said = [command.help or "", *(getattr(param, "help", None) or "" for param in command.params)]
    said += [getattr(one, "short_help", None) or "" for one in getattr(command, "commands", {}).values()]
    for sentence in said:
        for paragraph in sentence.split("\n\n"):
            assert "".join(paragraph.split()) in plain, paragraph


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_help_is_written_in_sentences(words: tuple[str, ...]) -> None:
    command = get_command(app)
    for word in words:
        command = getattr(command, "commands")[word]  # noqa: B009
    first = (command.help or "").split("\n\n")[0]
    assert first[0].isupper(), first
    assert first.endswith((".", ":")), first
    for param in command.params:
        text = getattr(param, "help", None) or ""
        assert text, f"{param.name} has no help"
        assert text.rstrip().endswith((".", ")")), f"{param.name}: {text}"


def test_help_imports_nothing_heavy_and_nothing_of_the_other_verbs() -> None:
    """Half of the start of ``affuse --help`` was pydantic, and the parameters of all other commands."""
    code = (
        "import contextlib, io, json, sys\n"
        "from affuse.cli.app import main\n"
        "before, found = set(sys.modules), {}\n"
        f"for words in {list(commands())!r}:\n"
        "    sys.argv = ['affuse', *words, '--help']\n"
        "    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "        main()\n"
        "    found[' '.join(words)] = sorted(set(sys.modules) - before)\n"
        "    for name in [name for name in sys.modules if name.startswith('affuse.cli.') and name not in before]:\n"
        "        del sys.modules[name]\n"
        "print(json.dumps(found))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(done.stdout)
    assert len(found) > len(VERBS)
    heavy = HEAVY | {"pandas", "numpy", "pyarrow", "pydantic", "rich"}
    assert {
        name: sorted(heavy & set(modules)) for name, modules in found.items() if heavy & set(modules)
    } == {}
    assert not [name for name in found[""] if name.startswith("affuse.")]
    assert "affuse.cli.predict" in found["predict"]
    assert "affuse.cli.prepare" not in found["predict"]


def test_verbs_stand_in_the_order_of_their_use() -> None:
    lines = [line.split() for line in shown().splitlines() if line.startswith("  ")]
    assert [words[0] for words in lines if words and words[0] in VERBS] == list(VERBS)
    group: Any = get_command(app)
    panels = [name for names in group.panels.values() for name in names]
    assert sorted(panels) == sorted(group.commands)  # each in one panel


@pytest.mark.parametrize("words", [(), ("prepare",)], ids=["affuse", "affuse prepare"])
def test_without_a_verb_the_help_is_shown_and_that_is_no_mistake(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0
    assert done.output == CliRunner().invoke(app, [*words, "--help"]).output


def test_arguments_are_named_as_in_a_manual() -> None:
    assert "compare [OPTIONS] RECIPE [CORPUS]\n" in shown("compare")
    done = CliRunner().invoke(app, ["train"])
    assert done.exit_code == 2
    assert "Missing argument 'RECIPE'" in done.output


def test_an_option_that_is_given_twice_is_refused() -> None:
    done = CliRunner().invoke(app, ["train", "server", "x", "--out", "a", "--out", "b"])
    assert done.exit_code == 2
    assert "--out is given twice; give it once" in done.output


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_lists_are_folded_to_the_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    list_parts("")
    everything = capsys.readouterr().out
    assert max(map(len, everything.splitlines())) <= min(max(columns, 46), 100)
    list_parts("recipes")
    recipes = capsys.readouterr().out
    assert "speakers of the test part are heard in training" in " ".join(recipes.split())
    assert "speakers of the test part are heard in training" not in " ".join(everything.split())


def test_what_is_listed_is_the_first_line_of_the_parts_docstring() -> None:
    import inspect

    from affuse.api.catalogue import summaries
    from affuse.parts.registry import PARTS, get

    for family in PARTS:
        for name, line in summaries(family).items():
            assert line == (inspect.getdoc(get(family, name)) or "").splitlines()[0], f"{family}: {name}"
            assert "``" not in line, f"{family}: {name}: marks for the reference, not for a terminal"


def test_parts_of_other_packages_are_listed_with_their_package_be_it_broken(tmp_path: Path) -> None:
    about = tmp_path / "focal_losses-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: focal-losses\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text("[affuse.losses]\nfocal = nowhere_to_be_found:FocalLoss\n")
    source = str(Path(__file__).parents[2] / "src")
    done = subprocess.run(
        [sys.executable, "-m", "affuse", "list", "losses"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([source, str(tmp_path)])},
    )
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "contrastive_center" in text
    assert "focal The loss 'focal' of focal-losses 1.2 cannot be imported" in text
    assert text.endswith("[focal-losses 1.2]")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what looks like a corpus until it is read."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "corpus").mkdir()
    for name in ("corpus.yaml", "utterances.parquet"):
        (folder / "corpus" / name).touch()
    return folder


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("--help", "Usage: affuse"),
        ("list losses", "contrastive_center"),
        ("list loses", "did you mean 'losses'"),
        ("train serverr corpus --out y", "did you mean 'server'"),
        ("train server nowhere --out y", "nowhere is not a corpus folder"),
        ("train server corpus --out y --set learning_rate=1", "did you mean 'optimizer.lr'"),
        ("train server corpus --out y --set fusion=concatt", "did you mean 'concat'"),
        ("train server corpus --out y --set modalities.audio.encoder=vgish", "did you mean 'vggish'"),
        ("compare serverr corpus --out y", "did you mean 'server'"),
        ("compare server corpus --out y --over recipe=serverr", "did you mean 'server'"),
        ("compare server corpus --out y --over los=a,b", "did you mean 'tasks.emotion.loss'"),
        ("compare server corpus --out y --over loss=centre,center", "did you mean 'center'"),
        ("compare server nowhere --out y", "nowhere is not a corpus folder"),
        ("reproduce multi-los corpus --out y", "did you mean 'multi-loss'"),
        ("reproduce multi-loss nowhere --out y", "nowhere is not a corpus folder"),
        ("evaluate nowhere corpus", "no model folder nowhere"),
        ("export nowhere model.onnx", "no model folder nowhere"),
        ("predict nowhere clip.wav", "no model folder nowhere"),
        ("report nowhere", "There is no folder nowhere"),
        ("push nowhere me/model", "no model folder nowhere"),
        ("validate nowhere", "nowhere is not a corpus folder"),
        ("prepare emodbb x y", "did you mean 'emodb'"),
        ("train server corpus --out y --device gpu", "--device takes auto, cpu or cuda, not 'gpu'"),
        ("compare server corpus --out y --device gpu", "--device takes auto, cpu or cuda, not 'gpu'"),
        ("train corpus server --out y", "corpus is a folder, not a recipe; the recipe comes first"),
        ("predict corpus/corpus.yaml clip.wav", "is a file, not a model; the model comes first"),
        ("train server corpus --out y --learning-rate 1", "--set optimizer.lr=VALUE"),
        ("train server corpus --out y --epochs=3", "--set training.epochs=VALUE"),
        ("train server corpus --out y --over seed=1,2", "to compare several values, use 'affuse compare'"),
        ("train server corpus --ot y", "Possible options: --fold, --out, --set"),
    ],
)
def test_a_wrong_name_is_answered_before_anything_heavy_is_imported(
    place: Path, line: str, answer: str
) -> None:
    """Lightning and torch take seconds to import."""
    code = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print('heavy:', sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr))\n"
        f"sys.argv = {['affuse', *line.split()]!r}\n"
        "from affuse.cli.app import main\n"
        "main()\n"
    )
    source = str(Path(__file__).parents[2] / "src")
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=place,
        env=os.environ | {"PYTHONPATH": source},
    )
    assert answer in done.stdout + done.stderr
    assert done.stderr.splitlines()[-1] == "heavy: []"
    assert not (place / "y").exists()


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("train server corpus --out", "Option '--out' requires an argument."),
        ("train server corpus --seed", "Option '--seed' requires an argument."),
        ("train server corpus --out y --seed x", "--seed takes a whole number, not 'x'."),
        ("train server corpus --out y --out z", "--out is given twice; give it once; see 'affuse train -h'."),
        ("train", "Missing argument 'RECIPE'; see 'affuse train -h'."),
        ("compare server corpus", "Missing option '--out'; see 'affuse compare -h'."),
        ("compare server corpus --out y --jobs 0", "--jobs takes a whole number from 1, not '0'."),
        ("reproduce multi-loss corpus --out y --jobs -1", "--jobs takes a whole number from 1, not '-1'."),
        ("predict model clip.wav --jobs 0.5", "--jobs takes a whole number from 1, not '0.5'."),
        ("demo --jobs none", "--jobs takes a whole number from 1, not 'none'."),
        ("listen --seconds -1", "--seconds takes a number from 0, not '-1'."),
        ("listen --rate 0", "--rate takes a whole number from 1, not '0'."),
        ("serve --port http", "--port takes a whole number, not 'http'."),
        ("trian", "No such command 'trian' (did you mean 'train'?); see 'affuse -h'."),
        ("--nothing", "No such option: --nothing; see 'affuse -h'."),
    ],
)
def test_a_command_line_that_cannot_be_read_is_one_sentence_as_any_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, line: str, answer: str
) -> None:
    done = affuse(capsys, monkeypatch, *line.split())
    assert (done.code, done.out, done.err) == (2, "", f"affuse: {answer}\n")
