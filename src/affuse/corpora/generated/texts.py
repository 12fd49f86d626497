"""The release's text files, as its annotators' tools wrote them: evaluations, transcriptions, segmentations."""

from __future__ import annotations

from affuse.corpora.generated.annotators import NAMES, Evaluation, Rating, Vote
from affuse.corpora.generated.script import Dialog

HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"


def evaluation_text(evaluations: list[Evaluation], *, final_blank: bool) -> str:
    """EmoEvaluation/<dialog>.txt: one block per turn; without ``final_blank`` the last one ends the file."""
    blocks = []
    for evaluation in evaluations:
        turn = evaluation.turn
        means = ", ".join(f"{value:.4f}" for value in evaluation.mean_rating())
        lines = [f"[{turn.start:.4f} - {turn.end:.4f}]\t{turn.id}\t{turn.label}\t[{means}]"]
        lines += [f"C-{v.annotator}:\t{_categories(v)}\t({v.comment})" for v in evaluation.votes]
        lines += [f"A-{r.annotator}:\t{_attributes(r)}\t()" for r in evaluation.ratings]
        blocks.append("\n".join(lines))
    return HEADER + "\n\n" + "\n\n".join(blocks) + ("\n\n" if final_blank else "\n")


def annotator_texts(dialog: Dialog, evaluations: list[Evaluation]) -> dict[str, str]:
    """Path below EmoEvaluation -> text, for the folders Categorical, Attribute and Self-evaluation."""
    texts: dict[str, list[str]] = {}
    for evaluation in evaluations:
        for vote in evaluation.votes:
            folder = "Categorical" if vote.annotator.startswith("E") else "Self-evaluation"
            labels = " ".join(f":{_long_name(label)};" for label in vote.labels)
            name = f"{folder}/{dialog.name}_{vote.annotator.lower()}_cat.txt"
            texts.setdefault(name, []).append(f"{evaluation.turn.id} {labels} ({vote.comment})")
        for rating in evaluation.ratings:
            folder = "Attribute" if rating.annotator.startswith("E") else "Self-evaluation"
            name = f"{folder}/{dialog.name}_{rating.annotator.lower()}_atr.txt"
            line = f"{evaluation.turn.id} :act {rating.activation}; :val {rating.valence}; :dom {rating.dominance}; ()"
            texts.setdefault(name, []).append(line)
    return {name: "\n".join(lines) + "\n" for name, lines in texts.items()}


def transcription_text(dialog: Dialog) -> str:
    """transcriptions/<dialog>.txt, with the odd lines the release has: asides and segments nobody labelled."""
    lines = [f"{t.id} [{t.start:08.4f}-{t.end:08.4f}]: {t.text}" for t in dialog.turns]
    lines.insert(min(2, len(lines)), "M: sorry")
    lines.insert(min(4, len(lines)), "F: at the café")
    lines.append(
        f"{dialog.name}_MXX0 [{dialog.seconds - 0.3:08.4f}-{dialog.seconds - 0.1:08.4f}]: [BREATHING]"
    )
    return "\n".join(lines) + "\n"


def lab_texts(dialog: Dialog) -> dict[str, str]:
    """Path below lab -> text: each speaker's segments."""
    found = {}
    for gender in "FM":
        lines = [f"{t.start:.4f} {t.end:.4f} {t.id}" for t in dialog.turns if t.gender == gender]
        name = f"Ses{dialog.session:02d}_{gender}/{dialog.name}.lab"
        found[name] = "\n".join([f"{dialog.name}.wav", *lines]) + "\n"
    return found


def _categories(vote: Vote) -> str:
    return " ".join(f"{NAMES[label]};" for label in vote.labels)


def _long_name(label: str) -> str:
    return "Neutral state" if label == "neu" else NAMES[label]


def _attributes(rating: Rating) -> str:
    # the release has two spaces after "dom"
    return f"val {rating.valence}; act {rating.activation}; dom  {rating.dominance};"
