"""tables.tex: what a paper has room for, and that LaTeX takes it."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from affuse.reports.blocks import Cell, Prose, Section, Table
from affuse.reports.numbers import INTERVAL, MINUS
from affuse.reports.render.latex import narrow, to_latex


def number(text: Any):
    return Cell(text, float(text))


HAND = Cell("hand")
WIDE = Table(
    ["row", "ACC (WA)", INTERVAL, "macro F1", "sd over seeds", "corpus", "p"],
    [
        [Cell("a_1 & 100 %"), number("70.1"), Cell("60.0 to 80.0", 60), number("9"), number("1.0"), HAND, Cell("-")],
        [Cell("b †‡"), number("71.0"), Cell("-", -1), number("8"), number("1.5"), HAND, Cell("-")],
        [Cell(f"{MINUS}c → d ~^#{{}}$\\"), number("72.0"), Cell("-", -1), number("7"), number("2.0"), HAND, Cell("-")],
    ],
    page_only=("macro F1",),
)  # fmt: skip


def test_intervals_stand_behind_their_numbers_and_what_is_always_the_same_is_told_once() -> None:
    headings, lines, constant = narrow(WIDE)
    assert headings == ["row", "ACC (WA)", "sd over seeds"]
    assert [cell.text for cell in lines[0]] == ["a_1 & 100 %", "70.1 [60.0, 80.0]", "1.0"]
    assert lines[1][1] == Cell("71.0", 71.0)
    assert constant == [("corpus", "hand")]  # a column of nothing is not told


def test_a_table_of_two_lines_keeps_its_columns() -> None:
    assert narrow(Table(WIDE.headings, WIDE.lines[:2]))[0] == [h for h in WIDE.headings if h != INTERVAL]


def test_headings_are_stacked_over_narrow_columns() -> None:
    latex = to_latex("t", [Section("s", [WIDE], paper=True)], "")
    assert r"row & ACC (WA) & \shortstack[r]{sd \\ over \\ seeds} \\" in latex
    assert r"\caption{t. s. corpus: hand.}" in latex


def test_notes_stand_under_their_table() -> None:
    table = Table(["row"], [[Cell("a †")]], notes=["† 5 % of it.", "(a) more."])
    latex = to_latex("t", [Section("s", [table], paper=True)], "")
    assert r"\footnotesize \textdagger{} 5 \% of it. (a) more.\end{minipage}" in latex


def test_only_tables_of_paper_sections_are_in_it() -> None:
    assert r"\begin{table}" not in to_latex("t", [Section("s", [WIDE])], "")
    assert r"\begin{table}" not in to_latex("t", [Section("s", [Prose("words")], paper=True)], "")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_takes_it_and_nothing_is_wider_than_the_line(tmp_path: Path) -> None:
    wide = Table(
        [f"a rather long heading {i}" for i in range(14)], [[number(f"{i}.5") for i in range(14)]] * 2
    )
    (tmp_path / "tables.tex").write_text(
        to_latex("t", [Section("s", [WIDE, wide], paper=True)], "§ ¶ a note.")
    )
    (tmp_path / "paper.tex").write_text(
        r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs,graphicx}"
        r"\begin{document}\input{tables}\end{document}"
    )
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
