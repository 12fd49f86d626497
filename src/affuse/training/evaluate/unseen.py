"""Which utterances of a corpus a trained model may be measured on: not those that it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from affuse.errors import AffuseError, argument
from affuse.training.runfolder import RunFolder
from affuse.training.seen import Known, recognise, speaker_digest

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus
    from affuse.models.network import Model

ROLES = ("train", "validation", "test", "all")


class Chosen(NamedTuple):
    """ids to be measured; roles: id -> its part in the model's training, of those that had one; what is to be said."""

    ids: list[str]
    roles: dict[str, str]
    said: list[str]

    @property
    def trained(self) -> bool:
        """Whether some of them had a part in making the model."""
        return any(self.roles.get(id) in ("train", "validation") for id in self.ids)


def choose_utterances(
    model: Model,
    corpus: Corpus,
    ids: Sequence[str],
    role: str | None = None,
    run: Path | None = None,
    *,
    fit: bool = False,
) -> Chosen:
    """The utterances of one role in the model's training, of all, or (None) those that had no part in choosing it.

    ``run``: the model or run folder, where a model does not know what it has seen (older folders). ``fit``: they are
    not measured, but something is fitted on them. Raises AffuseError where nothing is left, and for a role where
    nothing is known.
    """
    if role is not None and role not in ROLES:
        raise AffuseError(f"{argument('role')} takes {', '.join(ROLES[:-1])} or {ROLES[-1]}, not {role!r}.")
    seen = model.defaults.seen
    known = recognise(seen, corpus, ids) if seen is not None else _of_run(run, corpus, ids)
    roles = {id: one.role for id, one in known.items()}
    if role == "all":
        kept = list(ids)
    elif role is not None:
        kept = [id for id in ids if roles.get(id) == role]
        if not kept:
            raise AffuseError(
                f"No utterance of {corpus.info.name} is known to be of the model's {role} part; leave "
                f"{argument('role')} out, or give the run's {argument('split')}."
            )
    else:
        kept = [id for id in ids if roles.get(id) not in ("train", "validation")]
        if not kept:
            cure = (
                "what is fitted on them says nothing of other clips. Name another corpus."
                if fit
                else "numbers on them say nothing of other clips. Name another corpus, or give "
                f"{argument('role', 'all')} to measure them all the same."
            )
            raise AffuseError(
                f"All {len(ids)} utterances of {corpus.info.name} were {_seen_as(roles, ids)}: {cure}"
            )
    chosen = Chosen(kept, roles, [])
    chosen.said.extend(_said(model, corpus, ids, chosen, known, fit))
    return chosen


def _said(
    model: Model, corpus: Corpus, ids: Sequence[str], chosen: Chosen, known: dict[str, Known], fit: bool
) -> list[str]:
    said = []
    left = [id for id in ids if id not in set(chosen.ids)]
    seen_ones = [id for id in left if chosen.roles.get(id) in ("train", "validation")]
    if seen_ones:
        tested = sum(chosen.roles.get(id) == "test" for id in chosen.ids)
        of_test = f", {tested} of them its test part" if tested else ""
        measured = f" {len(chosen.ids)} are measured{of_test}; {argument('role', 'all')} measures every one."
        said.append(
            f"{len(seen_ones)} of {len(ids)} utterances were {_seen_as(chosen.roles, seen_ones)}: left out."
            + ("" if fit else measured)
        )
    if chosen.trained:
        said.append(
            f"These numbers are better than they should be: of the {len(chosen.ids)} utterances some were "
            f"{_seen_as(chosen.roles, chosen.ids)}."
        )
    by_name = sum(not known[id].same_clip for id in ids if id in known)
    if by_name:
        said.append(
            f"{by_name} utterances have the id and speaker of one of the model's own corpus, but other sound, "
            "or none that can be read: they are taken for the same recordings."
        )
    seen = model.defaults.seen
    if seen is not None and not chosen.trained:
        speakers = corpus.table.set_index("id")["speaker"].reindex(chosen.ids).dropna()
        heard = sorted({str(name) for name in speakers if speaker_digest(name) in set(seen.speakers)})
        if heard:
            count = int(speakers.isin(heard).sum())
            more = f" and {len(heard) - 5} more" if len(heard) > 5 else ""
            said.append(
                f"{count} of the {len(chosen.ids)} utterances are of speakers with names of speakers that the model "
                f"was trained on ({', '.join(heard[:5])}{more}): if they are the same people, "
                + (
                    "what is fitted trusts the model too much."
                    if fit
                    else "these numbers are better than they should be."
                )
            )
    return said


def _seen_as(roles: dict[str, str], ids: Sequence[str]) -> str:
    """'seen in training (100 to learn from, 20 to validate on)'."""
    counts = {role: sum(roles.get(id) == role for id in ids) for role in ("train", "validation")}
    told = [
        f"{count} to {purpose}"
        for count, purpose in zip(counts.values(), ("learn from", "validate on"), strict=True)
        if count
    ]
    return f"seen in training ({', '.join(told)})"


def _of_run(run: Path | None, corpus: Corpus, ids: Sequence[str]) -> dict[str, Known]:
    """By the split of the run that the model lies in, if that was made on this very corpus."""
    for folder in () if run is None else (run, run.parent):
        one = RunFolder(folder)
        if not one.begun or not len(table := one.split()):
            continue
        if one.environment().get("corpus_hash") != corpus.hash:
            return {}
        found: dict[str, Known] = {}
        for role in ("train", "validation", "test"):  # what was tested and trained on counts as tested
            found |= dict.fromkeys(table.loc[table["role"] == role, "id"], Known(role, True))
        return {id: found[id] for id in ids if id in found}
    return {}
