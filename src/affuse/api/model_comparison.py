"""``affuse.compare_models``: models that are trained already, side by side on one corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from affuse.api.inputs import (
    check_corpus,
    check_model,
    check_rename,
    folder_of,
    open_cache,
    open_corpus,
    open_model,
)
from affuse.calls import recorded
from affuse.devices import choose_device
from affuse.errors import AffuseError, argument
from affuse.progress import watched

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus
    from affuse.models.network import Model
    from affuse.progress import Progress
    from affuse.results.model_comparison import ModelComparison
    from affuse.results.run import Run


@recorded
def compare_models(
    models: Sequence[str | Path] | Mapping[str, str | Path | Model | Run],
    corpus: Corpus | str | Path,
    out: str | Path | None = None,
    *,
    rename: Mapping[str, str] | None = None,
    overwrite: bool = False,
    cache: str | Path | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> ModelComparison:
    """Measure trained models on the same utterances of a corpus, and test every pair; nothing is trained.

    Utterances that one of the models was trained on are left out for all. Compared are the classes that all of them
    tell: a model that tells more answers with the likeliest of these.

    Args:
        models: Model folders, run folders, starters or Hub ids, two or more; or name -> such a model, or one in memory.
        corpus: A corpus, or its folder.
        out: Folder for results.csv, paired_tests.csv, results.md and report.html; None: nothing is written.
        rename: Label of the corpus -> the models' label for it. Spellings that the vocabulary knows need none.
        overwrite: Replace files that affuse did not write, or that were edited since.
        cache: Folder of the feature cache; None: $AFFUSE_CACHE, or the user's cache folder.
        device: "auto", "cpu" or "cuda".
        progress: What it reports to; None: bars in a terminal or notebook, else nothing.

    Raises:
        AffuseError: Fewer than two models, or one that is not there or cannot be measured on the corpus.

    Examples:
        >>> import affuse
        >>> found = affuse.compare_models(["models/voice", "starter"], "corpora/ravdess")  # doctest: +SKIP
        >>> found.pairs()  # doctest: +SKIP
    """
    check_rename(rename)
    named = dict(models) if isinstance(models, Mapping) else _named(models)
    if len(named) < 2:
        raise AffuseError(
            f"A comparison needs two models or more, and {argument('models')} has {len(named)}."
        )
    for model in named.values():
        check_model(model)
    check_corpus(corpus)
    # what is wrong so far is answered at once: these import torch
    from affuse.files.outputs import Outputs
    from affuse.models.finding import files_of
    from affuse.models.licences import Licences, licences_of_model
    from affuse.results.model_comparison import FILES, ModelComparison, write_model_comparison
    from affuse.training.evaluate import rename_labels
    from affuse.training.evaluate.side_by_side import compare_trained

    folders = {name: folder_of(model) for name, model in named.items()}
    outputs = None if out is None else Outputs(out, "compare", overwrite=overwrite, deep=False)
    if outputs is not None:  # before the features, which may take an hour
        read = [path for folder in folders.values() if folder is not None for path in files_of(folder)]
        outputs.check([outputs.folder / name for name in FILES], read)
    opened = rename_labels(open_corpus(corpus), dict(rename or {}))
    with watched(progress) as watching:
        loaded = {name: open_model(model) for name, model in named.items()}
        found, said = compare_trained(
            {name: (model, folders[name]) for name, model in loaded.items()},
            opened, open_cache(cache), watching, choose_device(device),
        )  # fmt: skip
    if not found.classes and not found.ranges:
        raise AffuseError(f"The models cannot be compared on {opened.info.name}. {' '.join(found.notes)}")
    result = ModelComparison(
        **vars(found), corpus=opened.info.title, folder=None if out is None else Path(out), said=tuple(said),
        licences={
            name: Licences(tuple(licences_of_model(model.recipe, model.defaults))) for name, model in loaded.items()
        },
    )  # fmt: skip
    if outputs is not None:
        outputs.make_folder()
    with outputs.writing() if outputs is not None else nullcontext():
        if out is not None:
            write_model_comparison(result, Path(out))
    return result


def _named(models: Sequence[str | Path]) -> dict[str, str | Path]:
    """Each by its folder's name, or by all that was typed where two folders have one name."""
    texts = [str(model) for model in models]
    if len(set(texts)) < len(texts):
        raise AffuseError(f"{argument('models')} names a model twice; give each once.")
    short = [Path(text).name for text in texts]
    names = [name if short.count(name) == 1 else text for name, text in zip(short, texts, strict=True)]
    return dict(zip(names, models, strict=True))
