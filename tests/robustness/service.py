"""Starting the service: the lines of docs/robustness.md on it."""

from __future__ import annotations

import atexit
import socket

from robustness.situations import Command, Place, situation


def _serve(*words: object) -> Command:
    return Command(["serve", "--port", 0, *words])


@situation("serve-open-without-token")
def _open(place: Place) -> Command:
    return _serve("--host", "0.0.0.0")


@situation("serve-token-short")
def _short(place: Place) -> Command:
    return _serve("--token", "secret")


@situation("serve-port-taken")
def _taken(place: Place) -> Command:
    other = socket.create_server(("127.0.0.1", 0))
    atexit.register(other.close)
    return Command(["serve", "--port", other.getsockname()[1]], lambda place: other.close())


@situation("serve-limit-misspelt")
def _limit(place: Place) -> Command:
    return _serve("--limit", "second=60")


@situation("serve-model-misspelt")
def _model(place: Place) -> Command:
    return _serve("startr")


@situation("serve-recogniser-far")
def _far(place: Place) -> Command:
    return _serve("--asr", "nowhere/asr")


@situation("serve-recogniser-no-folder")
def _no_folder(place: Place) -> Command:
    (place.folder / "asr").mkdir()
    return _serve("--asr", "./asr")


@situation("serve-corpus-none")
def _corpus(place: Place) -> Command:
    (place.folder / "mine").mkdir()
    return _serve("--corpus", "mine")
