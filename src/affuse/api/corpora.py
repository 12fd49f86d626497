"""``affuse.prepare`` and ``affuse.validate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.api.inputs import open_corpus
from affuse.calls import recorded
from affuse.progress import watched

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus
    from affuse.corpora.validation import Finding
    from affuse.progress import Progress


@recorded
def prepare(
    reader: str,
    /,
    source: str | Path | None,
    out: str | Path,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Corpus:
    """Read a release, or a table of your own, into a corpus folder.

    Args:
        reader: "iemocap", "emodb", "ravdess", "cremad", "meld", "goemotions", "csv" or another of
            ``affuse.list_parts("corpora")``.
        source: Where the release or the table lies; None for "generated", which makes its own.
        out: The corpus folder.
        overwrite: Replace a corpus that was edited since, or files that affuse did not write.
        progress: What it reports to; None: bars in a terminal or notebook, else nothing.
        options: What the command ``affuse prepare NAME`` takes besides, such as ``emotions`` or ``media_root``.

    Raises:
        AffuseError: An unknown corpus or option, or a release that is not as it should be.

    Examples:
        >>> import affuse
        >>> affuse.prepare("emodb", "downloads/emodb", "corpora/emodb", emotions=["anger", "neutral"])  # doctest: +SKIP
        Corpus('emodb', 206 utterances, 10 speakers, emotion: anger 127, neutral 79, ...)
    """
    from affuse.corpora.corpus_files import BY
    from affuse.corpora.reader import prepare as read
    from affuse.files.outputs import Outputs

    with Outputs(out, BY, overwrite=overwrite).writing(), watched(progress) as watching:
        return read(reader, source, out, options, progress=watching)


@recorded
def validate(
    corpus: Corpus | str | Path, *, decode: bool = True, progress: Progress | None = None
) -> list[Finding]:
    """Check every row, file, label and count of a corpus.

    Args:
        corpus: A corpus, or its folder.
        decode: Read every sample, which finds damage, NaN and silence; False: headers only.
        progress: What it reports to; None: bars in a terminal or notebook, else nothing.

    Returns:
        What is wrong: each finding has a ``row``, ``id``, ``field``, ``message`` and ``severity`` (error or warning).

    Examples:
        >>> import affuse
        >>> [str(finding) for finding in affuse.validate("corpora/emodb")]  # doctest: +SKIP
        []
    """
    from affuse.corpora.validation import validate as check

    with watched(progress) as watching:
        return check(open_corpus(corpus), watching.count("media files"), decode)
