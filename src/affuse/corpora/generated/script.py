"""Who says what, when and with which emotion: the whole release as a plan, before anything is rendered."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count, islice

from affuse.corpora.generated.displays import (
    DISPLAYS,
    LABEL_MIX,
    MODALITIES,
    hidden_shares,
    shown_given,
)
from affuse.corpora.generated.seeding import stream
from affuse.corpora.generated.words import sentence
from affuse.errors import AffuseError

SHORTEST, LONGEST = 1.2, 3.5  # seconds


@dataclass(frozen=True)
class Turn:
    """One utterance of the plan."""

    id: str
    gender: str  # of the speaker: "F" or "M"
    start: float  # seconds into the dialog
    end: float
    label: str  # the consensus to come: a key of LABEL_MIX
    meant: str  # the label, or what lies behind "xxx"
    shown: dict[str, str]  # modality -> display
    text: str


@dataclass(frozen=True)
class Dialog:
    """One recording: two actors side by side."""

    name: str  # "Ses01F_impro01"
    session: int
    marker: str  # gender of the actor wearing markers, who sits left
    improvised: bool
    turns: list[Turn] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long the recording is."""
        return max((turn.end for turn in self.turns), default=0.0) + 0.4


def plan_release(sessions: int, dialogs: int, turns: int, seed: int) -> list[Dialog]:
    """Plan every dialog of the release; ``dialogs`` per session, ``turns`` in all; AffuseError for impossible sizes."""
    for name, value, least in (("sessions", sessions, 1), ("dialogs", dialogs, 1), ("turns", turns, 1)):
        if value < least:
            raise AffuseError(f"{name}={value}: a generated release needs at least {least}.")
    if sessions > 99:
        raise AffuseError(f"sessions={sessions}: names of the release have two digits, so at most 99.")
    shells = [
        Dialog(name, session, name[5], "impro" in name)
        for session in range(1, sessions + 1)
        for name in dialog_names(session, dialogs)
    ]
    labels = _labels(turns, seed)
    sizes = [turns // len(shells) + (i < turns % len(shells)) for i in range(len(shells))]
    at = 0
    for shell, size in zip(shells, sizes, strict=True):
        shell.turns.extend(_fill(shell, labels[at : at + size], seed))
        at += size
    return shells


def dialog_names(session: int, number: int) -> list[str]:
    """Name dialogs as the release does: improvised and scripted, each gender wearing the markers equally often.

    Odd sessions have the release's suffixes: impro05a beside impro05b, script01_1 beside script01_1b.
    """
    if session % 2:
        order = "FM"
        first = ["F_impro01", "M_script01_1", "M_impro05a", "F_script01_1"]
        first += ["M_impro05b", "F_impro02", "M_script01_1b", "F_script02_1"]
    else:  # the other way round, so that an odd number per session evens out over the sessions
        order = "MF"
        first = ["M_impro01", "F_script01_1", "F_impro01", "M_script01_1"]
        first += ["F_impro02", "M_impro02", "F_script02_1", "M_script02_1"]
    more = (
        f"{marker}_impro{k:02d}" if kind == "impro" else f"{marker}_script{2 + k // 3:02d}_{1 + k % 3}"
        for k in count(6)
        for kind in ("impro", "script")
        for marker in order
    )
    return [
        f"Ses{session:02d}{name}" for name in [*first[:number], *islice(more, max(0, number - len(first)))]
    ]


def _labels(turns: int, seed: int) -> list[str]:
    """LABEL_MIX by largest remainder, in an order that depends on nothing but the seed."""
    total = sum(LABEL_MIX.values())
    exact = {label: turns * number / total for label, number in LABEL_MIX.items()}
    quota = {label: int(share) for label, share in exact.items()}
    by_remainder = sorted(exact, key=lambda label: quota[label] - exact[label])
    for label in by_remainder[: turns - sum(quota.values())]:
        quota[label] += 1
    labels = [label for label, number in quota.items() for _ in range(number)]
    stream(seed, "labels", turns).shuffle(labels)
    return labels


def _fill(dialog: Dialog, labels: list[str], seed: int) -> list[Turn]:
    """The dialog's turns. Lengths, gaps and order of speakers depend on no label."""
    rng = stream(seed, "dialog", dialog.name)
    gender = "FM"[int(rng.integers(2))]
    spoken = {"F": 0, "M": 0}
    found: list[Turn] = []
    clock = float(rng.uniform(0.3, 0.8))
    for line, label in enumerate(labels):
        seconds = SHORTEST + (LONGEST - SHORTEST) * float(rng.beta(2.5, 2.0))
        start, end = round(clock, 4), round(clock + seconds, 4)
        meant = label
        if label == "xxx":
            shares = hidden_shares()
            meant = str(rng.choice(list(shares), p=list(shares.values())))
        shown = {m: str(rng.choice(DISPLAYS, p=shown_given(m, meant))) for m in MODALITIES}
        found.append(
            Turn(
                id=f"{dialog.name}_{gender}{spoken[gender]:03d}",
                gender=gender,
                start=start,
                end=end,
                label=label,
                meant=meant,
                shown=shown,
                text=_line(dialog, line, shown["text"], seed),
            )
        )
        spoken[gender] += 1
        same = rng.random() < 0.12
        # The release's speakers sometimes talk at once; one speaker never does so alone.
        clock = end + float(rng.uniform(0.05, 0.3) if same else rng.uniform(-0.15, 0.25))
        gender = gender if same else ("M" if gender == "F" else "F")
    return found


def _line(dialog: Dialog, line: int, display: str, seed: int) -> str:
    """Improvised words are drawn anew; a script's line recurs word for word in every session that shows it alike."""
    if dialog.improvised:
        rng = stream(seed, "words", dialog.name, line)
    else:
        rng = stream(seed, "script", dialog.name[6:], line, display)
    return sentence(display, rng)
