"""One switch at a time: what each departure of the authors' code alone does to the numbers of an honest run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.errors import AffuseError
from affuse.files import write_csv, write_text
from affuse.progress import Progress, Quiet
from affuse.reports.tables.results import markdown_table
from affuse.reports.tables.run_tables import ReadRuns
from affuse.reproduction.definition import Changes, Paper, Switch, read_definition, read_paper, read_switches
from affuse.reproduction.effects import BASE, effects, effects_table, untrained_variants
from affuse.reproduction.form import Form, check_prefixes, form_notes
from affuse.reproduction.grid import MISSING, build_recipe, check_corpus, choose_split, conditions, meets
from affuse.reproduction.report.record import EFFECTS, EFFECTS_TABLE, reproduction_outputs
from affuse.reproduction.utterances import check_utterances
from affuse.training.cache import FeatureCache
from affuse.training.compare import compare
from affuse.training.variants import Variant


@dataclass(frozen=True)
class SwitchEffects:
    """What ``run_switches`` found.

    Args:
        folder: Where its files are: ``switches.csv``, ``switches.md`` and the runs.
        effects: The rows of ``switches.csv``: see ``effects.effects``.
        title: Of the table.
        notes: What must be said of the numbers, in sentences.
        failed: Runs that failed: their folder and why.
        skipped: Ids of utterances that could not be read, each once.
    """

    folder: Path
    effects: pd.DataFrame
    title: str
    notes: list[str]
    failed: list[str]
    skipped: list[str]

    @property
    def table(self) -> pd.DataFrame:
        """For a terminal: a line per switch and row, the effect on each metric in percentage points."""
        return effects_table(self.effects)


@dataclass
class _Plan:
    """Variants by name, and which of them are compared: switch, row, names of base and switched."""

    variants: dict[str, Variant]
    pairs: list[tuple[Switch, str, str, str]]
    notes: list[str]
    seeds: tuple[int, ...]


def run_switches(
    paper: str,
    corpus: Corpus,
    out: str | Path,
    *,
    form: Form | None = None,
    cache: FeatureCache,
    jobs: int | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> SwitchEffects:
    """Train base and switched rows, and write ``switches.csv`` and ``switches.md`` into ``out``.

    Runs of one seed share their random split, which is drawn by the seed too. Finished runs are never run again.

    Args:
        paper: A name of ``definition.papers``.
        corpus: The corpus to train and test on.
        out: Folder of the two files and the runs.
        form: Small or quick networks, seeds, changed settings; default: the paper's networks.
        cache: Of features.
        jobs: How many stacks (threads) or single runs (processes) train at a time; default: one per core.
        device: "cpu" or "cuda".
        overwrite: Whether files that affuse did not write may be replaced.
        progress: What it reports to; default: nothing.

    Raises:
        AffuseError: The corpus lacks what the paper or all switches need, ``form`` names an unknown recipe, or ``out``
            holds something else.
    """
    out, form, progress = Path(out), form or Form(), progress or Quiet()
    about = read_paper(paper)
    with reproduction_outputs(out, overwrite).writing():
        plan = _plan(paper, about, corpus, form)
        variants = list(plan.variants.values())
        comparison = compare(variants, corpus, out, cache, progress, jobs=jobs, device=device)
        read = ReadRuns()
        untrained = untrained_variants(comparison, read)
        if untrained:
            told = "; ".join(f"{row}: {why}" for row, why in untrained.items())
            plan.notes.append(
                f"These did not train well enough, so their effects may come from that alone:  {told}."
            )
        found = SwitchEffects(
            folder=out,
            effects=effects(plan.pairs, comparison, plan.seeds, untrained, read),
            title=f"One switch at a time, on {corpus.info.title}",
            notes=[*form_notes(about, form, switches=True), *plan.notes],
            failed=[
                f"{cell.folder.relative_to(out).as_posix()}: {cause}" for cell, cause in comparison.failed
            ],
            skipped=sorted({skip.id for one in comparison.experiments for skip in one.skipped}),
        )
        write_csv(out / EFFECTS, found.effects)
        write_text(out / EFFECTS_TABLE, "\n\n".join([markdown_table(found.table), *found.notes]) + "\n")
    return found


def _plan(name: str, paper: Paper, corpus: Corpus, form: Form) -> _Plan:
    """Base and switched variants of every switch that the corpus has the columns for."""
    plan = read_switches(name)
    definition = read_definition(name, plan.protocol)
    check_corpus(paper, corpus)
    check_prefixes(form, {cell.recipe for cell in definition.cells})
    split = choose_split(definition.splits, corpus, plan.protocol)
    conditional, notes = conditions(definition.where, corpus)
    cells = {cell.row: cell for cell in definition.cells}
    common: Changes = {"protocol": split} | definition.set | conditional | plan.set
    made = _Plan({}, [], notes, form.seeds or tuple(plan.seeds))

    def add(name: str, row: str, changes: Changes) -> str:
        for seed in made.seeds:
            drawn = {**changes.get("protocol", split), "seed": seed}
            last = changes | {"seed": seed, "protocol": drawn}
            recipe = build_recipe(paper, cells[row], common | cells[row].set, definition.encoders, form, last)
            made.variants[f"{name}/{seed}"] = Variant({"row": name, "seed": str(seed)}, recipe)
        return name

    bases: dict[tuple[str, str], str] = {}
    for switch in plan.switches:
        if not meets(corpus, switch.where):
            notes.append(f"{switch.name}: not measured, for {corpus.info.name} {MISSING[switch.where]}.")
            continue
        for row in switch.rows:
            key = row, repr(switch.base)
            if key not in bases:
                called = f"{BASE} of {switch.name}" if switch.base else BASE
                bases[key] = add(f"{row}: {called}", row, switch.base)
            switched = add(f"{row}: {switch.name}", row, switch.base | switch.set)
            made.pairs.append((switch, row, bases[key], switched))
    if not made.pairs:
        raise AffuseError(f"{corpus.info.name} has nothing that a switch needs; see docs/protocols.md.")
    notes += check_utterances(paper, definition, corpus, [one.recipe for one in made.variants.values()][:1])
    notes.append(
        f"Base: the {plan.protocol} protocol{' in its small form' if form.is_small else ''}. Seeds: "
        f"{', '.join(map(str, made.seeds))}. Effect: switched minus base, mean over seeds with its 95 % interval by "
        "Student's t; it shows the noise of training and splitting on this corpus, not that of another corpus."
    )
    return made
