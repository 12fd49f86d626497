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
from affuse.calls import recorded_as
from affuse.cli import (
    compare,
    demo,
    evaluate,
    export,
    hub,
    listing,
    predict,
    prepare,
    report,
    reproduce,
    train,
    validate,
)  # fmt: skip
from affuse.cli.flags import command_line, sentence
from affuse.cli.verbs import VerbGroup, Verbs
from affuse.errors import AffuseError
from affuse.files.names import shown


class _Affuse(VerbGroup):
    """All verbs, in the order of their use."""

    panels: ClassVar[Mapping[str, Sequence[str]]] = {
        "Corpora": ("prepare", "validate"),
        "Training and comparison": ("train", "compare", "reproduce", "evaluate", "report"),
        "Models": ("predict", "export", "push", "pull"),
        "More": ("list", "demo"),
    }


app = Verbs(
    name="affuse",
    cls=_Affuse,
    help="Train, compare and run models that tell emotion and gender from voice, words and face.",
    epilog="""\b
First steps:
  affuse demo                                  all of it on a generated corpus
  affuse prepare csv TABLE.csv CORPUS          your own files
  affuse train voice-offline CORPUS --out RUN  a model from the voice
  affuse predict RUN CLIP                      a timeline of a recording

Exit codes: 0 done; 1 done, but some items were skipped; 2 bad input, nothing done; 130 interrupted.""",
)
app.add_typer(
    prepare.app, name="prepare", short_help="Read a corpus, or a table of your own, into a corpus folder."
)
app.command("validate", short_help="Check a corpus folder: rows, media files, labels.")(validate.validate)
app.command("train", short_help="Train one model; write a run folder.")(train.train)
app.command("compare", short_help="Train every combination of settings; write tables and a report.")(
    compare.compare
)
app.command("reproduce", short_help="Run a paper's experiments beside its published numbers.")(
    reproduce.reproduce
)
app.command("evaluate", short_help="Measure a trained model on a corpus.")(evaluate.evaluate)
app.command("predict", short_help="Write a timeline of emotion and gender of a recording.")(predict.predict)
app.command("report", short_help="Write the report of a run or a comparison again.")(report.report)
app.command("export", short_help="Write a model as one ONNX file.")(export.export)
app.command("push", short_help="Upload a model to the Hugging Face Hub.")(hub.push)
app.command("pull", short_help="Download a model from the Hugging Face Hub.")(hub.pull)
app.command("list", short_help="List losses, weightings, encoders, fusions, corpora and recipes.")(
    listing.list_parts
)
app.command("demo", short_help="Run both papers' comparisons on a generated corpus.")(demo.demo)


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
    _open_outputs()
    try:
        with recorded_as(command_line()):
            app(prog_name="affuse")
    except AffuseError as error:
        _fail(sentence(error))
    except (KeyboardInterrupt, SystemExit) as stop:
        # typer turns Ctrl-C into exit code 130 without a word
        if isinstance(stop, SystemExit) and stop.code != 130:
            raise
        verb = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
        cure = (
            "run the same command again to go on where it was"
            if verb in ("train", "compare", "reproduce", "demo")
            else "what was written is whole, and the same command starts from the beginning"
        )
        print(f"\nInterrupted; {cure}.", file=sys.stderr)
        sys.exit(130)
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
    print(f"affuse: {shown(message)}", file=sys.stderr)
    sys.exit(2)
