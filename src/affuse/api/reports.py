"""``affuse.report`` and ``affuse.list_parts``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from affuse.api.inputs import open_corpus
from affuse.calls import recorded
from affuse.errors import AffuseError

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus


@recorded
def report(folder: str | Path, *, corpus: Corpus | str | Path | None = None, overwrite: bool = False) -> Path:
    """Write the HTML page of a run, a comparison or a reproduction again from its folder; give its path.

    Args:
        folder: What ``affuse.train``, ``compare`` or ``reproduce`` wrote.
        corpus: Of a run: what it was trained on. The page then shows groups of speakers, and links to clips.
        overwrite: Replace files that affuse did not write, or that were edited since.

    Raises:
        AffuseError: The folder is none of these, or holds no finished work.

    Examples:
        >>> import affuse
        >>> affuse.report("runs/grid")  # doctest: +SKIP
        PosixPath('runs/grid/report.html')
    """
    if not Path(folder).is_dir():
        raise AffuseError(
            f"There is no folder {folder}; give one that 'affuse train', 'affuse compare' or 'affuse reproduce' wrote."
        )
    from affuse.reproduction.report.record import is_reproduction
    from affuse.results.grid import Grid
    from affuse.results.reproduction import Reproduction
    from affuse.results.run import Run
    from affuse.training.comparison_folder import is_comparison
    from affuse.training.runfolder import RunFolder

    folder = Path(folder)
    if RunFolder(folder).begun:
        known = None if corpus is None else open_corpus(corpus)
        return Run(folder, corpus=known).report(overwrite=overwrite)
    if is_reproduction(folder):
        return Reproduction.load(folder).report(overwrite=overwrite)
    if not is_comparison(folder):
        raise AffuseError(
            f"{folder} holds no run, comparison or reproduction; give a folder that 'affuse train', 'affuse compare' "
            "or 'affuse reproduce' wrote."
        )
    return Grid.load(folder).report(overwrite=overwrite)


@recorded
def list_parts(family: str) -> dict[str, str]:
    """Name the parts of a family, each with a line on what it is.

    Args:
        family: "losses", "weightings", "encoders", "fusions", "corpora" or "recipes".

    Raises:
        AffuseError: An unknown family.

    Examples:
        >>> import affuse
        >>> list(affuse.list_parts("losses"))[:3]
        ['cross_entropy', 'center', 'contrastive_center']
    """
    from affuse.api.catalogue import summaries

    return summaries(family)
