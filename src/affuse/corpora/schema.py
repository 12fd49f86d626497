"""What a corpus folder holds: the columns of ``utterances.parquet`` and the fields of ``corpus.yaml``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from affuse.files.names import written
from affuse.files.yaml_text import needs_quotes
from affuse.names import tidy

FORMAT = 1

# One row per utterance. All but `id` and one modality may be blank (null).
TEXT_COLUMNS = (
    "id",
    "audio",  # path of a file with an audio track, relative to corpus.yaml's media_root
    "video",  # path of a file with a video track, relative to media_root
    "text",  # the words
    "side",  # which half of the picture shows the speaker: left, right or blank for the whole picture
    "speaker",
    "gender",
    "dialog",
    "session",
    "emotion",
    "label_source",  # which rule gave the emotion label
)
NUMBER_COLUMNS = (
    "start",  # seconds into audio and video; blank: from the beginning
    "end",  # seconds; blank: to the end
    "video_start",  # seconds into the video where its clock is not the audio's; both blank: start and end apply
    "video_end",  # seconds
    "channel",  # audio channel to take, from 0; blank: the mix of all
    "track",  # audio track to take, from 0; blank: the first
    "valence",
    "arousal",
    "dominance",
)
COLUMNS = (
    "id", "audio", "video", "text", "start", "end", "video_start", "video_end", "channel", "track", "side",
    "speaker", "gender", "dialog", "session", "emotion", "label_source", "valence", "arousal", "dominance",
)  # fmt: skip
FEATURE_PREFIX = (
    "features_"  # features_<name>: "array.npy", "array.npy#ROW", "arrays.npz#KEY" or "arrays.npz#KEY#ROW"
)
VOTES_PREFIX = "votes_"  # of a user's table: votes_<label>, how many raters gave the label
PATH_COLUMNS = ("audio", "video")  # kept as they are written: a file system knows no other form of a name
GENDERS = ("female", "male")
SIDES = ("left", "right")


# fields of corpus.yaml that hold names and labels: text as it is written, be it `no` or `01`
INFO_TEXTS = (
    "name", "full_name", "source", "licence", "language", "media_root", "label_spaces", "vote_labels", "notes",
)  # fmt: skip


class CorpusInfo(BaseModel):
    """``corpus.yaml``: what the table means and where it came from."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = FORMAT
    name: str = Field(min_length=1)
    full_name: str = ""  # as results show it; blank: the name
    generated: bool = False  # True: made by a program, and called generated wherever results are shown
    source: str = ""  # where the release was read from
    licence: str = ""
    language: str = ""
    media_root: str = "."  # absolute, or relative to the corpus folder
    label_spaces: dict[str, list[str]] = Field(
        default_factory=dict
    )  # task (a column) -> its labels, in order
    # task -> what a vote's label is called in the label space (None: no label of it); one that is not named here counts
    # for the label of its own name, or of the same meaning
    vote_labels: dict[str, dict[str, str | None]] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)
    # generated corpora only: subset of modalities ("audio+text") -> best possible accuracy by task
    ceilings: dict[str, dict[str, float]] = Field(default_factory=dict)
    # likewise, of all turns: subset of modalities -> best possible CCC by column of ratings
    rating_ceilings: dict[str, dict[str, float]] = Field(default_factory=dict)

    @field_validator("name", "source", "media_root", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        """A path may hold bytes that are no text."""
        return written(value) if isinstance(value, str) else value

    @property
    def title(self) -> str:
        """The name as results show it: a generated corpus is always called generated."""
        title = self.full_name or self.name
        return f"{title} (generated)" if self.generated and title != "generated" else title

    @field_validator("label_spaces")
    @classmethod
    def _distinct_labels(cls, spaces: dict[str, list[str]]) -> dict[str, list[str]]:
        spaces = {tidy(task): [tidy(label) for label in labels] for task, labels in spaces.items()}
        for task, labels in spaces.items():
            if len(set(labels)) != len(labels):
                raise ValueError(f"label space {task!r} names a label twice: {labels}")
        return spaces


def first_problem(error: Exception) -> str:
    """The first finding of a pydantic error as 'field: message', or the error's own first line."""
    if isinstance(error, ValidationError):
        first, *more = error.errors()
        # of a value that may be of several types: the type that it comes nearest to
        alternatives = [first, *(one for one in more if one["loc"][:2] == first["loc"][:2])]
        finding = max(alternatives, key=lambda one: len(one["loc"]))
        where = ".".join(str(part) for part in finding["loc"] if "[" not in str(part))
        return f"{where or 'the file'}: {needs_quotes(dict(finding)) or finding['msg']}"
    return str(error).splitlines()[0] if str(error) else type(error).__name__
