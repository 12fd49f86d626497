"""Fitting a network with Lightning: batches, trainer, what a killed training goes on from, and how Ctrl-C ends it."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import lightning as L
from torch.utils.data import DataLoader

from affuse.recipe import Recipe
from affuse.training.data import BucketBatches, Clips, batches
from affuse.training.lightning.callbacks import load_state
from affuse.training.lightning.module import TrainingModule


def fit(
    module: TrainingModule,
    recipe: Recipe,
    parts: Mapping[str, Clips],
    callbacks: Sequence[L.Callback],
    state: Path,
    device: str,
) -> None:
    """Train until ``training.epochs`` or until a callback stops it; go on from ``state`` where it is there and whole.

    Args:
        module: is trained; its history has a row per epoch afterwards, those before an interruption included.
        recipe: its sections training and optimizer.
        parts: role -> clips; train, and the part that ``module.watched`` names where there is one.
        callbacks: in this order, every epoch.
        state: the file of an interrupted training.
        device: cpu or cuda.

    Raises:
        NonFiniteLoss: if a loss became NaN or infinite.
        KeyboardInterrupt: on Ctrl-C.
    """
    train, watched = parts["train"], parts.get(module.watched)
    batch_size = recipe.training.batch_size
    loader = DataLoader(
        train,
        batch_sampler=BucketBatches(train.lengths(), batch_size, recipe.seed),
        collate_fn=train.collate,
    )
    with _quiet():
        trainer = L.Trainer(
            accelerator="gpu" if device.startswith("cuda") else "cpu",
            devices=1,
            max_epochs=recipe.training.epochs,
            precision=recipe.training.precision,
            callbacks=list(callbacks),
            default_root_dir=state.parent,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
        with _interruptible(trainer):
            trainer.fit(
                module,
                loader,
                batches(watched, batch_size) if watched is not None and len(watched) else None,
                ckpt_path=str(state) if load_state(state) else None,
                weights_only=True,
            )


_LOGGERS = ("lightning.pytorch", "lightning.fabric")


@contextmanager
def _quiet() -> Generator[None]:
    """None of Lightning's advice on workers, devices and its own products."""
    levels = {logging.getLogger(name): logging.getLogger(name).level for name in _LOGGERS}
    try:
        for logger in levels:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


@contextmanager
def _interruptible(trainer: L.Trainer) -> Generator[None]:
    """Lightning answers Ctrl-C with exit(1), and has SIGINT ignored from then on; a KeyboardInterrupt is wanted."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit:
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt from None
