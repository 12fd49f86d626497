"""Parts of an installed package: listed, trained, compared in worker processes, named in the model folder."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from affuse.corpora.reader import prepare
from affuse.errors import AffuseError
from affuse.models.loading import load_model
from affuse.parts import registry
from affuse.recipe import Recipe
from affuse.training.experiment import check_network
from command import affuse
from parts.installed import PACKAGE, SOURCE, install, python

PAGE = SOURCE.parent / "docs" / "own-parts.md"
SPACES = {"emotion": ["anger", "sadness"], "gender": ["female", "male"]}
PITCH = {"anger": 260.0, "sadness": 130.0}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def here(site: Path) -> Iterator[Path]:
    """The package is installed in this process and in those that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        registry.refresh()
        yield site
    for name in [name for name in sys.modules if name.partition(".")[0] == "mylab"]:
        del sys.modules[name]
    registry.refresh()


@pytest.fixture(scope="module")
def corpus(here: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones in the layout that the package's reader knows, read by it."""
    folder = tmp_path_factory.mktemp("recordings")
    random = np.random.default_rng(0)
    for emotion, pitch in PITCH.items():
        (folder / emotion).mkdir()
        for speaker in ("f01", "f02", "m01", "m02"):
            for take in range(3):
                time = np.arange(int(16_000 * random.uniform(0.3, 0.5))) / 16_000
                wave = 0.2 * np.sin(2 * np.pi * pitch * random.uniform(0.9, 1.1) * time)
                soundfile.write(folder / emotion / f"{speaker}_{take}.wav", wave.astype(np.float32), 16_000)
    read = prepare("folders", folder, folder / "corpus", {"emotions": ["anger", "sadness"]})
    assert len(read.table) == 24
    assert read.info.label_spaces == {"emotion": ["anger", "sadness"], "gender": ["female", "male"]}
    return folder / "corpus"


@pytest.fixture(scope="module")
def run(here: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    words = ["train", str(PACKAGE / "recipe.yaml"), str(corpus), "--out", "run", "--fold", "0"]
    ran = python("-m", "affuse", *words, site=here, cwd=folder)
    assert ran.returncode == 0, ran.stderr
    return folder / "run"


def test_the_page_shows_the_package_as_it_is() -> None:
    blocks = re.findall(r"```(?:python|toml|yaml) title=\"(.+?)\"\n(.*?)```", PAGE.read_text(), re.DOTALL)
    shown = {name: text for name, text in blocks if (PACKAGE / name).is_file()}
    wanted = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*") if path.is_file()}
    wanted = {name for name in wanted if "__" not in name}  # __init__.py, __pycache__
    assert set(shown) == wanted
    for name, text in shown.items():
        assert text == (PACKAGE / name).read_text(), name


def test_every_part_is_under_40_lines_of_code() -> None:
    for path in (PACKAGE / "mylab").glob("*.py"):
        tree = ast.parse(path.read_text())
        told = {
            line
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            for line in range(node.lineno, (node.end_lineno or 0) + 1)
        }
        lines = [
            n
            for n, text in enumerate(path.read_text().splitlines(), start=1)
            if text.strip() and n not in told
        ]
        assert len(lines) < 40, path


def test_the_parts_are_listed(site: Path, tmp_path: Path) -> None:
    ran = python("-m", "affuse", "list", site=site, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    for name, line in [
        ("focal", "Focal loss, -(1 - p_y)^gamma ln p_y"),
        ("dirichlet", "sum_i w_i L_i, w drawn at every step"),
        ("tensor", "The outer product of [1, h_m]"),
        ("spectral", "Audio -> (batch, 1, 8)"),
        ("folders", "Recordings in a folder for each emotion"),
    ]:
        assert re.search(rf"^  {name} +{re.escape(line)}", ran.stdout, re.MULTILINE), ran.stdout


def test_names_are_read_without_importing_a_part(site: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from affuse import registry; print(registry.names('losses')[-1]); "
        "print([m for m in ('mylab', 'torch') if m in sys.modules])"
    )
    ran = python("-c", code, site=site, cwd=tmp_path)
    assert ran.stdout.split("\n")[:2] == ["focal", "[]"], ran.stderr


def test_a_recipe_uses_all_of_them_and_the_folder_names_the_package(run: Path) -> None:
    index = json.loads((run / "model" / "index.json").read_text())
    assert {(part["family"], part["name"], part["package"], part["version"]) for part in index["parts"]} == {
        ("encoders", "spectral", "affuse-mylab", "1.2"),
        ("fusions", "tensor", "affuse-mylab", "1.2"),
        ("losses", "focal", "affuse-mylab", "1.2"),
        ("weightings", "dirichlet", "affuse-mylab", "1.2"),
    }
    recipe = (run / "recipe.yaml").read_text()
    assert "mylab" not in recipe
    assert "standardise: true" in recipe.split("spectrum:")[1]  # the encoder says that it is unscaled


def test_a_comparison_trains_them_in_worker_processes(
    here: Path,
    corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = [
        "--over",
        "loss=focal,cross_entropy+0.5*focal",
        "--fold",
        "0",
        "--jobs",
        "2",
        "--no-baseline",
        "--set",
        "epochs=1",
    ]
    words = ["compare", PACKAGE / "recipe.yaml", corpus, "--out", tmp_path / "grid", *over]
    ran = affuse(capsys, monkeypatch, *words)
    assert ran.code == 0, ran.err
    results = pd.read_csv(tmp_path / "grid" / "results.csv")
    assert {"focal", "cross_entropy+0.5*focal"} <= set(results["loss"])
    assert not (tmp_path / "grid" / "failed.csv").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "tasks.emotion.loss=[{name: focal, options: {gamma: much}}]",
            "loss.0.options.gamma is 'much', which is not",
        ),
        ("tasks.emotion.loss=[{name: focal, options: {gama: 1}}]", "did you mean 'gamma'?"),
        ("fusion.options.part=0", "fusion.options.part is 0; it must be above 0"),
        (
            "modalities.spectrum.options.rolloff=1",
            "modalities.spectrum.options.rolloff is 1; it must be below 1",
        ),
        ("weighting.options.seed=abc", "weighting.options.seed is 'abc', which is not a whole number"),
        ("loss=fokal", "did you mean 'focal'?"),
    ],
)
def test_their_options_are_checked_as_ours_are(here: Path, change: str, message: str) -> None:
    with pytest.raises(AffuseError, match=re.escape(message)):
        check_network(Recipe.load(PACKAGE / "recipe.yaml", [change]), SPACES)


def test_the_readers_options_are_checked(here: Path, tmp_path: Path) -> None:
    for options, message in [
        (
            {"emotoins": ["anger"]},
            "There is no 'emotoins' among the options of prepare folders (did you mean 'emotions'?)",
        ),
        ({"emotions": "anger"}, "folders.emotions is 'anger', which is not a list"),
    ]:
        with pytest.raises(AffuseError, match=re.escape(message)):
            prepare("folders", tmp_path, tmp_path / "out", options)
    with pytest.raises(AffuseError, match="name the source"):
        prepare("folders", None, tmp_path / "out")


def test_a_model_says_which_package_it_needs(here: Path, run: Path, tmp_path: Path) -> None:
    assert type(load_model(run).fusion).__module__ == "mylab.fusion"
    ran = python("-c", "import sys, affuse; affuse.load(sys.argv[1])", str(run), cwd=tmp_path)
    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith("affuse.errors.AffuseError")
    assert (
        "needs the encoder 'spectral' of the package affuse-mylab 1.2; install it: pip install affuse-mylab."
        in last
    )


def test_another_version_is_warned_of_and_another_package_refused(here: Path, run: Path) -> None:
    index = run / "model" / "index.json"
    before = index.read_text()
    try:
        index.write_text(before.replace('"1.2"', '"1.1"'))
        with pytest.warns(
            UserWarning, match=r"and the weighting 'dirichlet' of affuse-mylab 1\.1, and here it is 1\.2"
        ):
            load_model(run)
        index.write_text(before.replace("affuse-mylab", "another-lab"))
        with pytest.raises(
            AffuseError, match=r"here that name is of affuse-mylab 1\.2; work where that is not"
        ):
            load_model(run)
        index.write_text(before.replace("affuse-mylab", "a b; rm"))  # nobody is asked to install this
        with pytest.raises(AffuseError, match="damaged at 'parts'"):
            load_model(run)
    finally:
        index.write_text(before)
