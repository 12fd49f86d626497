"""What README, CONTRIBUTING and the pages say about the code is so."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

import affuse
from documents import ROOT, code_blocks
from test_layers import LEVEL, SOURCE

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def table_names(text: str) -> list[list[str]]:
    """The names in the first column of CONTRIBUTING's table of layers, row by row."""
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    return [re.findall(r"`(\w+)(?:/|\.py)`", row) for row in rows]


def test_contributings_table_is_the_order_of_the_layers() -> None:
    rows = table_names((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    levels = [{LEVEL[name] for name in row} for row in rows]
    assert all(len(level) == 1 for level in levels), "names of two layers stand in one row"
    assert levels == sorted(levels, key=min)
    named = [name for row in rows for name in row]
    assert len(named) == len(set(named))
    assert set(named) == set(LEVEL) - {"__init__", "__main__"}


def test_the_drawing_has_every_folder_of_the_flow() -> None:
    drawn = ElementTree.parse(ROOT / "docs/figures/architecture.svg")
    texts = [element.text or "" for element in drawn.iter() if element.get("class") == "name"]
    folders = {text.removesuffix("/").removesuffix(".py") for text in texts}
    assert all((SOURCE / text).exists() for text in texts)
    everywhere = {
        name for name, level in LEVEL.items() if level < LEVEL["evaluation"]
    }  # used by all of the flow
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert packages - everywhere <= folders


def test_the_drawing_was_drawn_by_its_script() -> None:
    space: dict[str, object] = {"__name__": "architecture", "__file__": ""}
    script = ROOT / "docs/figures/architecture.py"
    exec(compile(script.read_text(encoding="utf-8"), str(script), "exec"), space)
    draw = space["draw"]
    assert callable(draw)
    assert draw() == script.with_suffix(".svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_readme_opens_with_install_and_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    order = ["docs/figures/timeline.png", "docs/figures/report.png", "pip install", "make demo", "make test",
             "affuse prepare csv"]  # fmt: skip
    places = [text.index(word) for word in order]
    assert places == sorted(places)
    assert text[: places[4]].count("\n") < 40


def test_the_readmes_code_is_that_of_the_example() -> None:
    (code,) = (block.code for block in code_blocks(ROOT / "README.md") if block.language == "python")
    example = (ROOT / "examples/train_in_ten_lines.py").read_text(encoding="utf-8")
    begin, end = (
        example.index("# the ten lines\n") + len("# the ten lines\n"),
        example.index("\n\nmodel.eval()"),
    )
    assert code == example[begin:end] + "\n"


def test_the_version_stands_in_one_place() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == affuse.__version__
    assert f"## {affuse.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
