"""``affuse.Client``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self, Unpack

from affuse.arguments import checked
from affuse.errors import AffuseError, ClipError, argument
from affuse.inference.timeline import Timeline
from affuse.media.regular_file import check_file
from affuse.media.samples import Samples
from affuse.serving.client.asking import ClipArguments, StreamArguments, form_fields
from affuse.serving.client.connection import Connection, Files
from affuse.serving.client.read_timeline import read_timeline
from affuse.serving.client.remote_job import RemoteJob
from affuse.serving.client.remote_stream import RemoteStream


class RemoteModel(NamedTuple):
    """A model of a service.

    Attributes:
        name: To ask for it by.
        description: In the words of its recipe.
        tasks: Task -> its classes.
        ranges: Regression -> its lowest and highest rating.
        modalities: Modality -> "audio", "text" or "video".
        recogniser: Whether the words of a clip can be recognised.
        pictures: A second, that its faces are read from; 0: a stream can have none.
        warning: What should be known before its answers are believed, or "".
        window: Seconds of a window.
        hop: Seconds from window to window.
    """

    name: str
    description: str
    tasks: dict[str, list[str]]
    ranges: dict[str, tuple[float, float]]
    modalities: dict[str, str]
    recogniser: bool
    pictures: float
    warning: str
    window: float
    hop: float


class Client:
    """Models that another process or machine serves (``affuse serve``).

    Args:
        address: Of the service, with the path below which a proxy shows it.
        token: The one that it was started with.
        timeout: Seconds that an answer may take.
        patience: Seconds to wait, in all, where the service has no room for a clip.

    Raises:
        AffuseError: The address is none.

    Examples:
        Without a service that runs, this is all that happens:

        >>> import affuse
        >>> with affuse.Client("http://127.0.0.1:9") as client:  # nothing listens there
        ...     client.predict("talk.wav")
        Traceback (most recent call last):
        affuse.errors.ClipError: talk.wav does not exist; correct the path.
    """

    @checked
    def __init__(
        self,
        address: str = "http://127.0.0.1:8765",
        token: str | None = None,
        *,
        timeout: float = 3600.0,
        patience: float = 60.0,
    ) -> None:
        self._connection = Connection(address, token, timeout, patience)

    def __repr__(self) -> str:
        return f"Client({self._connection.address!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def models(self) -> list[RemoteModel]:
        """All models; the first answers where none is named."""
        told = self._connection.get("v1/models")
        try:
            return [_model(one) for one in told["models"]]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._connection.foreign("what is no list of models") from None

    @checked
    def predict(self, clip: str | Path | tuple[Any, int], **asked: Unpack[ClipArguments]) -> Timeline:
        """Predict one clip and wait for its timeline, which is that of ``Model.predict``.

        Args:
            clip: An audio or video file, or ``(samples, rate)``, as of ``Model.predict``.
            **asked: ``model`` (a name; None: the service's first), ``tasks`` (None: all but gender), ``asr`` (True:
                recognise the words, with the service's recogniser; None: where the model has one and none are given),
                and as of ``Model.predict`` ``text``, ``words``, ``classes``, ``window``, ``hop``, ``vad``, ``unsure``,
                ``side``, ``face``, ``channel``, ``track``, ``values``, ``start`` and ``end``.

        Raises:
            ClipError: The clip cannot be used.
            AffuseError: Arguments that do not fit, the service has no room or cannot be reached.
        """
        fields = form_fields(asked, ClipArguments)
        name, files = _files(clip, asked.get("text"))
        told = self._connection.send("v1/predict", fields | {"detail": "full"}, files)
        return read_timeline(told, name, asked.get("values"))

    @checked
    def submit(self, clip: str | Path | tuple[Any, int], **asked: Unpack[ClipArguments]) -> RemoteJob:
        """Give a clip to the service and go on: the job says how far it is, and waits for the timeline.

        Arguments and errors are those of ``predict``.
        """
        fields = form_fields(asked, ClipArguments)
        name, files = _files(clip, asked.get("text"))
        told = self._connection.send("v1/jobs", fields, files)
        return RemoteJob(self._connection, told, name, asked.get("values"))

    @checked
    def stream(self, rate: int, **asked: Unpack[StreamArguments]) -> RemoteStream:
        """Predict sound while it goes on, as ``Model.stream``; needs the package websockets.

        Args:
            rate: Of the samples, in Hz.
            **asked: ``pictures`` (whether pictures come beside the sound), and as of ``predict`` ``model``, ``tasks``,
                ``classes``, ``asr``, ``window``, ``hop``, ``vad``, ``unsure``, and with pictures ``side`` and ``face``.

        Returns:
            A stream: ``push`` it blocks of samples, and ``push_picture`` what a camera sees, then ``close`` it. All
            return segments, each with ``final``.

        Raises:
            AffuseError: Arguments that do not fit, the service has no room or cannot be reached.
        """
        return RemoteStream(self._connection, rate, form_fields(asked, StreamArguments))


def _model(told: Mapping[str, Any]) -> RemoteModel:
    facts: dict[str, Any] = {name: told[name] for name in RemoteModel._fields}
    facts["ranges"] = {task: (low, high) for task, (low, high) in told["ranges"].items()}
    return RemoteModel(**facts)


def _files(clip: str | Path | tuple[Any, int], text: str | Path | None) -> tuple[str, Files]:
    """How the clip is called, and what opens the files that are sent."""
    files: dict[str, Callable[[], IO[bytes]]] = {}
    if isinstance(clip, str | Path):
        check_file(Path(clip), row=False)
        name = str(clip)
        files["clip"] = partial(_opened, Path(clip))
    else:
        name = Samples.name
        files["clip"] = partial(_wav, Samples.of(clip))
    if text is not None:
        if not Path(text).is_file():
            raise AffuseError(f"{text} is no file; {argument('text')} takes the file of the clip's words.")
        files["words"] = partial(_opened, Path(text))
    return name, files


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise ClipError(f"{path} cannot be read ({(error.strerror or str(error)).lower()}).") from None


def _wav(samples: Samples) -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever sends it closes it
    samples.write_wav(file)
    file.seek(0)
    return file
