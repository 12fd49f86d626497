"""The IEMOCAP release on disk -> a corpus folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import Field, ValidationError

from affuse.corpora.annotations import annotation_table
from affuse.corpora.corpus import Corpus
from affuse.corpora.corpus_files import COUNTS, writes_corpus
from affuse.corpora.label_protocol import Classes, LabelProtocol, Scenario, Ties
from affuse.corpora.readers.iemocap.counts import self_check
from affuse.corpora.readers.iemocap.evaluation import Evaluated, read_evaluation
from affuse.corpora.readers.iemocap.labels import label_turn, takes
from affuse.corpora.readers.iemocap.media import UNUSABLE, VideoState, check_sentence, check_video
from affuse.corpora.readers.iemocap.names import TurnName, parse_turn
from affuse.corpora.readers.iemocap.release import SessionFiles, find_sessions, read_stamp
from affuse.corpora.readers.iemocap.transcripts import read_transcript
from affuse.corpora.schema import GENDERS, CorpusInfo, first_problem
from affuse.errors import AffuseError
from affuse.files import write_csv
from affuse.files.names import written
from affuse.names import counted
from affuse.progress import Progress, Quiet

_LISTED = 20  # findings that are given one by one


@writes_corpus(COUNTS)
def prepare(
    source: str | Path,
    out: str | Path,
    *,
    classes: Annotated[
        Classes, Field(description="4+exc merges excited into happiness, 4 leaves it out")
    ] = "4+exc",
    scenario: Annotated[Scenario, Field(description="which dialogs")] = "both",
    ties: Annotated[
        Ties, Field(description="what becomes of turns without a consensus among the classes")
    ] = "drop",
    seed: Annotated[int, Field(description="of the draws among tied classes (ties: majority)")] = 0,
    keep_unlabelled: Annotated[
        bool, Field(description="keep turns without an emotion: they have speaker, gender, words and ratings")
    ] = True,
    progress: Progress | None = None,
) -> Corpus:
    """IEMOCAP as it is on disk, or anything in its shape; counts are checked against the published ones.

    The column ``audio`` names the turn's own wav (``start`` and ``end`` are blank), ``video`` the dialog's avi (with
    ``video_start`` and ``video_end`` in seconds), and ``side`` the speaker's half of the picture. Beyond the usual
    columns there are ``emotion_raw`` (consensus code), ``scenario``, ``marker`` (gender letter of the actor who wears
    the markers), and ``audio_note`` and ``video_note`` (why the file is blank). The corpus folder also gets
    annotations.parquet (every vote and rating) and counts.csv (the counts found beside the published ones).

    Args:
        source: The release's root: the folder that holds Session1 to Session5.
        out: The corpus folder to write.
        classes: "4+exc", "4" or "6"; ``LabelProtocol`` explains this option and the next four.
        scenario: "improvised", "scripted" or "both".
        ties: "drop", "majority" or "self_report".
        seed: Of the draws.
        keep_unlabelled: Keep turns without an emotion.
        progress: Counts the dialogs.

    Raises:
        AffuseError: ``source`` is not the release's root, a text file cannot be opened, an option is wrong, or no turn
            is left.
    """
    try:
        protocol = LabelProtocol(
            classes=classes, scenario=scenario, ties=ties, seed=seed, keep_unlabelled=keep_unlabelled
        )
    except ValidationError as error:
        raise AffuseError(f"iemocap: {first_problem(error)}; see 'affuse prepare iemocap --help'.") from None
    root = Path(source).absolute()
    sessions = find_sessions(root)
    stamp = read_stamp(root)

    reading = _Reading(root, protocol, check_known=stamp is None)
    dialogs = sum(len(session.evaluations) for session in sessions)
    count = (progress or Quiet()).count("dialogs")
    for session in sessions:
        for dialog in session.evaluations:
            reading.read_dialog(session, dialog)
            count(reading.dialogs, dialogs)
    if not reading.rows:
        raise AffuseError(
            f"{root} has no labelled turn in any dialog/EmoEvaluation; unpack the release again."
        )
    table = pd.DataFrame(reading.rows)
    check = self_check(table, generated=stamp is not None)
    notes = [protocol.describe(), *check.sentences, *_gaps(table), *reading.shown_findings()]
    if stamp and len(sessions) < stamp.get("sessions", 0):
        notes.append(
            f"This copy has {len(sessions)} of the {stamp['sessions']} sessions that were generated."
        )
    if stamp and ties != "drop":
        notes.append(f"With ties={ties} the best possible accuracy is not known, so no ceilings are given.")

    table = table.loc[table["taken"]].drop(columns="taken")
    if not keep_unlabelled:
        table = table.loc[table["emotion"].notna()]
    if table.empty:
        raise AffuseError(f"{root}: no turn is left under this protocol ({protocol.describe()}); widen it.")
    info = CorpusInfo(
        name="generated" if stamp else "iemocap",
        generated=stamp is not None,
        source=str(root),
        licence="generated, free to use"
        if stamp
        else "IEMOCAP release licence (University of Southern California)",
        language="en",
        media_root=str(root),
        label_spaces={"emotion": protocol.label_space, "gender": list(GENDERS)},
        vote_labels={"emotion": dict[str, str | None](protocol.codes)},
        notes=notes,
        # the ceilings are those of turns whose consensus is one of the classes
        ceilings=stamp["ceilings"].get(protocol.classes, {}) if stamp and ties == "drop" else {},
        rating_ceilings=stamp.get("rating_ceilings", {}) if stamp and keep_unlabelled else {},
    )
    kept = set(table["id"])
    said = annotation_table(row for row in reading.annotations if row["id"] in kept)
    write_csv(Path(out) / COUNTS, check.table)
    return Corpus(table, info, annotations=said).save(out)


class _Reading:
    """Rows, annotations and findings as they are gathered, dialog by dialog."""

    def __init__(self, root: Path, protocol: LabelProtocol, check_known: bool) -> None:
        self.root = root
        self.protocol = protocol
        self.check_known = check_known
        self.rows: list[dict] = []
        self.annotations: list[dict[str, Any]] = []
        self.findings: list[str] = []
        self.dialogs = 0
        self._seen: set[str] = set()

    def read_dialog(self, session: SessionFiles, dialog: str) -> None:
        """Everything about one dialog: its text files once, its video's header once, its wavs' headers."""
        self.dialogs += 1
        turns, findings = read_evaluation(session.evaluations[dialog], dialog)
        self.findings += findings
        words = read_transcript(session.transcripts[dialog]) if dialog in session.transcripts else {}
        avi = session.videos.get(dialog)
        video = VideoState(0.0, "no avi") if avi is None else check_video(avi)
        for turn in turns:
            name = parse_turn(turn.id)
            if name is None or turn.id in self._seen:
                self.findings.append(
                    f"{session.evaluations[dialog]}: {turn.id} is there twice; the first one counts."
                )
                continue
            self._seen.add(turn.id)
            emotion, rule = label_turn(self.protocol, name, turn.label, turn.votes)
            wav = session.sentences.get(turn.id)
            audio_note = "no wav" if wav is None else check_sentence(wav, turn.end - turn.start)
            video_note = self._video_note(name, turn, video)
            usable = not video_note
            self.rows.append(
                {
                    "id": turn.id,
                    "audio": None if audio_note or wav is None else self._relative(wav),
                    "video": self._relative(avi) if usable and avi is not None else None,
                    "text": words.get(turn.id),
                    "video_start": turn.start,
                    "video_end": turn.end,
                    "side": name.side,
                    "speaker": name.speaker,
                    "gender": name.gender,
                    "dialog": dialog,
                    "session": name.session,
                    "emotion": emotion,
                    "label_source": rule,
                    "valence": turn.valence,
                    "arousal": turn.activation,
                    "dominance": turn.dominance,
                    "emotion_raw": turn.label,
                    "scenario": name.scenario,
                    "marker": name.marker,
                    "audio_note": audio_note or None,
                    "video_note": video_note or None,
                    "taken": takes(self.protocol, name),
                }
            )
            self.annotations += annotation_rows(turn)

    def shown_findings(self) -> list[str]:
        """The findings, the first of them one by one."""
        more = len(self.findings) - _LISTED
        return [
            *self.findings[:_LISTED],
            *([f"{counted(more, 'more line')} could not be read."] if more > 0 else []),
        ]

    def _video_note(self, name: TurnName, turn: Evaluated, video: VideoState) -> str:
        if self.check_known and (name.dialog, name.letter) in UNUSABLE:
            return "this half of the video is known to be unusable"
        if turn.end <= video.seconds + 0.1:
            return ""
        return video.note or f"the avi ends at {video.seconds:.1f} s, before the turn does"

    def _relative(self, path: Path) -> str:
        return written(path.relative_to(self.root).as_posix())


def annotation_rows(turn: Evaluated) -> list[dict[str, Any]]:
    """Make a row per categorical label and per rating of one turn; an annotator of two labels has a row for each."""
    rows: list[dict[str, Any]] = [
        {"id": turn.id, "annotator": v.annotator, "task": "emotion", "label": label, "self": v.is_self,
         "comment": v.comment or None}
        for v in turn.votes
        for label in v.labels
    ]  # fmt: skip
    rows += [
        {"id": turn.id, "annotator": r.annotator, "task": task, "value": value, "self": r.is_self,
         "comment": r.comment or None}
        for r in turn.ratings
        for task, value in (("valence", r.valence), ("arousal", r.activation), ("dominance", r.dominance))
        if value is not None
    ]  # fmt: skip
    return rows


def _gaps(table: pd.DataFrame) -> list[str]:
    """What the copy lacks, in sentences."""
    sentences = []
    for column, what in (("audio", "sound"), ("video", "picture")):
        reasons = Counter(table[f"{column}_note"].dropna())
        if not reasons:
            continue
        several = "; ".join(f"{reason} ({number})" for reason, number in reasons.most_common(5))
        rest = "" if len(reasons) <= 5 else f"; and {len(reasons) - 5} other reasons"
        sentences.append(
            f"{sum(reasons.values())} of {counted(len(table), 'turn')} have no usable {what}: {several}{rest}. "
            f"They stay, with the reason in {column}_note."
        )
    if silent := sum(words is None for words in table["text"]):
        sentences.append(
            f"{silent} of {counted(len(table), 'turn')} have no words: their transcription lacks them."
        )
    return sentences
