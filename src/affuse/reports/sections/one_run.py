"""One run: whether and how it trained, and what it was."""

from __future__ import annotations

from affuse.names import counted
from affuse.progress import in_words
from affuse.reports.blocks import Block, Facts, Figure, Figures, Heading, Notes, Prose, Section
from affuse.reports.description import (
    base_of,
    changed_fields,
    describe_protocol,
    encoder_in_words,
    loss_in_words,
)
from affuse.reports.figures.training_curves import training_curves
from affuse.reports.run_report import RunReport
from affuse.reports.sections.setting import left_out
from affuse.reports.sections.training import JOINT, criterion_in_words

_VERSIONS = (
    "affuse",
    "python",
    "torch",
    "lightning",
    "transformers",
    "numpy",
    "scikit-learn",
    "platform",
    "threads",
    "device",
)
_READING = (
    "Unweighted loss by epoch: the training part solid, the part that is measured after every epoch dashed. The "
    "upright line is the epoch whose weights were kept. Where the dashed curve rises while the solid one falls, the "
    "network begins to overfit."
)


def training_section(report: RunReport) -> Section | None:
    """Which epoch was kept, whether the training trained, and the curves; None for a run without epochs."""
    metrics = report.run.metrics
    if not len(metrics):
        return None
    kept, allowed = report.run.kept, report.row.epochs
    ran = counted(len(metrics), "epoch")
    of = f" of {allowed} allowed" if allowed is not None and allowed != len(metrics) else ""
    told = f"{ran}{of}; the weights of epoch {kept} were kept, {criterion_in_words(report.row)}."
    state = report.training or (
        "The training passed the checks: its loss fell, it was not stopped while it still improved, and its answers "
        "are better than chance."
    )
    caption = _READING + (f" {JOINT}" if len(report.recipe.tasks) > 1 else "")
    drawn = training_curves([metrics], "run", kept)
    blocks: list[Block] = [Prose(told), Prose(state), Figures([Figure(drawn, caption, wide=False)])]
    return Section("Training", blocks)


def setting_section(report: RunReport) -> Section:
    """The recipe, the protocol, the data, the software, and what was left out."""
    recipe, environment = report.recipe, report.environment
    base = base_of(recipe)
    changed = [] if base is None else changed_fields(recipe, base)
    items = [("recipe", recipe.name)]
    if recipe.description and not changed:
        items.append(("description", " ".join(recipe.description.split())))
    items += [
        (f"reads {name}", encoder_in_words(part.model_dump())) for name, part in recipe.modalities.items()
    ]
    items += [("fusion", recipe.fusion.name)]
    items += [
        (f"loss of {task}", loss_in_words([term.model_dump() for term in choice.loss]))
        for task, choice in recipe.tasks.items()
    ]
    if len(recipe.tasks) > 1:
        items.append(("task weighting", recipe.weighting.name))
    training = recipe.training
    budget = f"{counted(training.epochs, 'epoch')} at most, batches of {training.batch_size}"
    items += [
        ("training", f"{budget}, learning rate {recipe.optimizer.lr:g}"),
        ("seed", str(report.run.seed)),
    ]
    parameters, seconds = report.run.result.get("parameters"), report.run.result.get("seconds")
    if parameters is not None:
        items.append(("parameters trained", f"{parameters:,}"))
    if seconds is not None:
        items.append(("time", f"{in_words(seconds)}, without reading and encoding the clips"))
    blocks: list[Block] = [Facts(items)]
    if changed:
        blocks.append(Notes(f"Changed in the packaged recipe ({len(changed)})", changed, open=True))
    sizes = report.run.utterances
    data = [
        ("corpus", f"{environment.get('corpus')}, hash {environment.get('corpus_hash')}"),
        *(
            (f"{role} utterances", f"{sizes[role]:,}")
            for role in ("train", "validation", "test")
            if role in sizes
        ),
        ("protocol", describe_protocol(recipe.protocol.model_dump(mode="json"))),
        ("fold", str(report.run.fold)),
        ("speakers", report.row.stamp or "speaker-independent: no test speaker is in the training part"),
        ("split hash", report.row.split_hash),
        *((("test part", report.row.on_test),) if report.row.on_test else ()),
    ]
    blocks += [Heading("Data and protocol"), Facts(data)]
    if view := environment.get("view"):
        blocks.append(Notes("What the recipe leaves out or changes of the corpus", list(view), open=True))
    versions = [(name, str(environment[name])) for name in _VERSIONS if name in environment]
    blocks += [Heading("Software"), Facts(versions), Heading("Utterances left out")]
    skipped = report.skipped.to_dict("records")
    blocks += left_out([(str(one["id"]), str(one["modality"]), str(one["cause"])) for one in skipped], [])
    return Section("What was run", blocks)
