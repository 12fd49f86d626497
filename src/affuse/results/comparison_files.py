"""What a comparison leaves in its folder once its runs are done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from affuse.files import write_csv, write_text
from affuse.reports.pages.comparison import write_comparison_page
from affuse.reports.record import write_record
from affuse.reports.report import Report
from affuse.reports.tables.joint_losses import joint_losses
from affuse.reports.tables.results import collect_results, markdown_table
from affuse.reports.tables.run_tables import ReadRuns
from affuse.reports.tables.subsets import collect_subsets
from affuse.results.grid import Grid
from affuse.training.comparison_folder import JOINT_LOSSES, RESULTS, RESULTS_TEXT, SUBSETS, comparison_outputs

if TYPE_CHECKING:
    from affuse.training.compare import Comparison


def write_comparison(
    comparison: Comparison, folder: str | Path, call: str = "", *, page: bool = True
) -> Grid:
    """Write results.csv, results.md, comparison.json, report.html and the other files of a comparison.

    Args:
        comparison: The runs, finished or failed.
        folder: The comparison's folder, which holds the runs.
        call: What was called, for the record.
        page: Write the report too, which takes most of the time; else the tables alone.
    """
    folder, read = Path(folder), ReadRuns()
    with comparison_outputs(folder).writing():
        write_csv(folder / RESULTS, collect_results(comparison, read))
        write_record(comparison, folder, call)
        tested = collect_subsets(comparison)
        if len(tested):
            write_csv(folder / SUBSETS, tested)
        else:
            (folder / SUBSETS).unlink(missing_ok=True)  # of other rows
        if any(len(cell.variant.recipe.tasks) > 1 for cell in comparison.cells):
            write_csv(folder / JOINT_LOSSES, joint_losses(comparison, read))
        report = Report.read(folder, read=read)
        grid = Grid(folder, report)
        write_text(folder / RESULTS_TEXT, results_text(grid))
        if page:
            write_comparison_page(folder, report)
    return grid


def results_text(grid: Grid) -> str:
    """``results.md``: the tables, what their numbers are, and the verdict."""
    tables = [f"{title}\n\n{markdown_table(table)}" for title, table in grid.tables]
    return "\n\n".join([*tables, grid.note, *grid.verdict]) + "\n"
