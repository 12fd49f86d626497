"""The ``affuse`` command: verbs, exit codes, one sentence per error."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Mapping, Sequence
from typing import ClassVar, TextIO

import typer

import affuse
from affuse.allocation import keep_freed_memory
from affuse.calls import recorded_as
from affuse.cli.flags import command_line, sentence
from affuse.cli.stopping import CONTINUED, ENDLESS, Terminated, ended_by_sigterm
from affuse.cli.verbs import Later, VerbGroup, Verbs
from affuse.errors import AffuseError


class _Affuse(VerbGroup):
    """All verbs, in the order of their use."""

    panels: ClassVar[Mapping[str, Sequence[str]]] = {
        "Corpora": ("prepare", "validate"),
        "Training and comparison": ("train", "compare", "reproduce", "evaluate", "report"),
        "Models": ("predict", "listen", "serve", "adopt", "export", "licences", "push", "pull"),
        "More": ("list", "demo"),
    }
    later: ClassVar[Mapping[str, Later]] = {
        "prepare": Later("prepare:app", "Read a corpus, or a table of your own, into a corpus folder."),
        "validate": Later("validate:validate", "Check a corpus folder: rows, media files, labels."),
        "train": Later("train:train", "Train one model; write a run folder."),
        "compare": Later(
            "compare:compare", "Train every combination of settings; write tables and a report."
        ),
        "reproduce": Later("reproduce:reproduce", "Run a paper's experiments beside its published numbers."),
        "evaluate": Later("evaluate:evaluate", "Measure a trained model on a corpus."),
        "predict": Later("predict:predict", "Write a timeline of emotion and gender of a recording."),
        "listen": Later("listen:listen", "Tell emotion while somebody speaks into the microphone."),
        "serve": Later("serve:serve", "Open a web page and a REST service on models."),
        "adopt": Later("adopt:adopt", "Make a model of public models, joined by late fusion."),
        "report": Later("report:report", "Write the report of a run or a comparison again."),
        "export": Later("export:export", "Write a model as one ONNX file."),
        "licences": Later("licences:licences", "Say under which licences the parts of a model stand."),
        "push": Later("hub:push", "Upload a model to the Hugging Face Hub."),
        "pull": Later("hub:pull", "Download a model from the Hugging Face Hub."),
        "list": Later(
            "listing:list_parts", "List losses, weightings, encoders, fusions, corpora and recipes."
        ),
        "demo": Later("demo:demo", "Run both papers' comparisons on a generated corpus."),
    }


app = Verbs(
    name="affuse",
    cls=_Affuse,
    help="Train, compare and run models that tell emotion and gender from voice, words and face.",
    epilog="""\b
First steps:
  affuse predict talk.wav                      an answer without a training
  affuse demo                                  all of it on a generated corpus
  affuse prepare csv TABLE.csv CORPUS          your own files
  affuse train voice-offline CORPUS --out RUN  a model from the voice
  affuse predict RUN CLIP                      a timeline of a recording

Exit codes: 0 done; 1 done, but some items were skipped; 2 bad input, nothing done; 130 interrupted;
143 ended by SIGTERM.""",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(affuse.__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command line; bad input is one sentence on standard error and exit code 2."""
    # OpenMP's threads wait for each other in a busy loop, which beside another program costs many times what they save;
    # read when torch is loaded
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    _open_outputs()
    verb = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    if verb in CONTINUED:  # what trains
        keep_freed_memory()
    try:
        with recorded_as(command_line()), ended_by_sigterm(verb):
            app(prog_name="affuse")
    except AffuseError as error:
        _fail(sentence(error))
    except (KeyboardInterrupt, SystemExit) as stop:
        # typer turns Ctrl-C into exit code 130 without a word
        if isinstance(stop, SystemExit) and stop.code != 130:
            raise
        cure = "; what was written is whole, and the same command starts from the beginning"
        if verb in CONTINUED:
            cure = "; run the same command again to go on where it was"
        elif verb in ENDLESS:
            cure = ""
        terminated = isinstance(stop, Terminated)
        print(f"\n{'Ended by SIGTERM' if terminated else 'Interrupted'}{cure}.", file=sys.stderr)
        sys.exit(143 if terminated else 130)
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if "usable temporary directory" in str(error):  # of tempfile, which names no file
            _fail("No temporary folder can be written; set TMPDIR to a folder with some room.")
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _fail(
                f"The disk is full while writing {error.filename or 'a file'}; free some space and run again."
            )
        if error.filename:
            _fail(f"{error.filename}: {error.strerror}; check the path and its permissions.")
        raise


def _open_outputs() -> None:
    """Both outputs take any text. Services run with them closed: what is said there then goes nowhere."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is not None:
            _take_any_text(getattr(sys, name))
            continue
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.fstat(number)
        except OSError:  # taken now, before a file that is opened for something else gets this number
            os.dup2(nowhere, number)
        setattr(sys, name, os.fdopen(nowhere, "w", encoding="utf-8"))


def _take_any_text(stream: TextIO) -> None:
    """Give a pipe or a file UTF-8, whatever the locale's encoding, as the files of --out; a terminal its own.

    What neither can hold (emoji in cp1252, bytes of a file name that are no text) is written as its code.
    """
    if isinstance(stream, io.TextIOWrapper):
        encoding = stream.encoding if stream.isatty() else "utf-8"
        stream.reconfigure(encoding=encoding, errors="backslashreplace")


def _fail(message: str) -> None:
    from affuse.files.names import shown

    print(f"affuse: {shown(message)}", file=sys.stderr)
    sys.exit(2)
