"""In which form a reproduction runs: the paper's networks or small ones, its budget or a quick one, own changes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from affuse.errors import AffuseError
from affuse.names import counted
from affuse.parts.registry import unknown
from affuse.reproduction.definition import Paper


@dataclass(frozen=True)
class Form:
    """What the caller chose.

    Args:
        small: Small networks that need no download and no GPU, with the paper's seeds and folds.
        quick: Small networks, and fewer epochs, seeds and folds too.
        seeds: Seeds in place of the protocol's own.
        overrides: Changes of the recipes after everything else: ``"optimizer.lr=3e-4"``, or
            ``"3m-ser:optimizer.lr=3e-4"`` for the rows of one recipe alone.
    """

    small: bool = False
    quick: bool = False
    seeds: tuple[int, ...] | None = None
    overrides: tuple[str, ...] = ()

    @property
    def is_small(self) -> bool:
        """Whether the networks are the small ones: the quick form has them too."""
        return self.small or self.quick


def split_prefix(override: str) -> tuple[str, str]:
    """'3m-ser:lr=1e-3' -> ('3m-ser', 'lr=1e-3'); without a recipe's name the first is ''."""
    match = re.fullmatch(r"([\w-]+):([\w.*]+=.*)", override, re.DOTALL)
    return (match[1], match[2]) if match else ("", override)


def check_prefixes(form: Form, recipes: Iterable[str]) -> None:
    """Raise AffuseError where a change names a recipe that the grid does not have."""
    known = sorted(set(recipes))
    for override in form.overrides:
        prefix = split_prefix(override)[0]
        if prefix and prefix not in known:
            raise AffuseError(f"set {override}: {unknown(prefix, known, 'recipes of this grid')}.")


def form_notes(paper: Paper, form: Form, switches: bool = False) -> list[str]:
    """What was smaller than the paper, in sentences; ``switches`` have seeds and folds of their own."""
    notes: list[str] = []
    if form.is_small:
        notes.append(f"These are not the paper's networks but {' '.join(paper.small.description.split())}.")
    if form.quick:
        budget = ", ".join(f"{key}={value}" for key, value in paper.quick.set.items())
        where = budget if switches else "fewer epochs, seeds or folds than in full; see each protocol"
        notes.append(f"Quick: {where}.")
    if form.overrides:
        notes.append(f"Changed settings: {', '.join(form.overrides)}.")
    if not switches and form.seeds is not None and len(form.seeds) < 3:
        notes.append(f"{counted(len(form.seeds), 'seed')}: an honest table takes three or more.")
    return notes
