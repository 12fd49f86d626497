"""One training step, one validation pass: what Lightning runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightning as L
import torch
from torch import Tensor

from affuse.evaluation.dimensions import measure_ratings
from affuse.evaluation.label_sets import fit_thresholds, measure_sets
from affuse.evaluation.metrics import measure
from affuse.files import digest
from affuse.layers import Dropout, Streams
from affuse.losses.base import known
from affuse.losses.centers import CenteredLoss
from affuse.models.network import Model, Output
from affuse.models.parts import build_weighting
from affuse.recipe import Recipe
from affuse.training.best_epoch import watched_part
from affuse.training.data import Batch
from affuse.training.failures import not_finite
from affuse.training.modality_dropout import ModalityDropout
from affuse.training.prediction import answered
from affuse.training.random_state import dropout_seed


class TrainingModule(L.LightningModule):
    """Manual optimisation, so that a weighting may do its own backward pass."""

    def __init__(self, recipe: Recipe, model: Model, train_ids: list[str]) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.recipe = recipe
        self.model = model
        self.weighting = build_weighting(recipe.weighting, list(recipe.tasks))
        self.train_ids = train_ids
        rates = {name: modality.dropout for name, modality in recipe.modalities.items()}
        self.dropout = ModalityDropout(rates, recipe.seed, len(train_ids))
        self.history: list[dict[str, float]] = []  # one row per epoch, as metrics.csv has them
        self.shared = [
            parameter
            for name, parameter in model.named_parameters()
            if parameter.requires_grad and not name.startswith(("heads.", "losses."))
        ]
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self._joint, self._labelled = 0.0, 0  # the joint loss summed over the utterances that have a label
        self.watched = watched_part(recipe.training)
        self._validation: list[
            tuple[dict[str, Tensor], dict[str, Tensor]]
        ] = []  # what was told, what is right
        self._batch_losses: list[float] = []  # of the watched part, where one of them chooses the epoch
        self.first_centers = {name: p.detach().clone() for name, p in self._centers().items()}

    def _centers(self) -> dict[str, Tensor]:
        return {
            f"{name}.centers": module.centers
            for name, module in self.model.losses.named_modules()
            if isinstance(module, CenteredLoss)
        }

    def configure_optimizers(self) -> Any:
        """Adam with a group each for the network, trained encoders, centers and the weighting's parameters."""
        choice = self.recipe.optimizer
        rates = {
            "network": choice.lr,
            "encoders": choice.encoder_lr or choice.lr,
            "centers": choice.centers_lr,
            "weighting": self.recipe.weighting.lr or choice.lr,
        }
        members: dict[str, list[Tensor]] = {name: [] for name in rates}
        for name, parameter in self.named_parameters():
            if not parameter.requires_grad:
                continue
            group = (
                "centers" if name.endswith(".centers") else
                "encoders" if name.startswith("model.encoders.") else
                "weighting" if name.startswith("weighting.") else
                "network"
            )  # fmt: skip
            members[group].append(parameter)
        groups = [
            # weight decay would pull centers and task weights to zero, which is no regulariser for them
            {"params": parameters, "lr": rates[name], "name": name,
             "weight_decay": choice.weight_decay if name in ("network", "encoders") else 0.0}
            for name, parameters in members.items() if parameters
        ]  # fmt: skip
        optimizer = torch.optim.Adam(groups, fused=True)  # one pass over the parameters instead of six
        schedule = self.recipe.training.schedule
        if schedule is None:
            return optimizer
        if not self.recipe.weighting.scheduled:
            every, factor = schedule.every, schedule.factor
            steps = [
                (lambda _: 1.0)
                if group["name"] == "weighting"
                else (lambda epoch: factor ** (epoch // every))
                for group in groups
            ]
            return {
                "optimizer": optimizer,
                "lr_scheduler": torch.optim.lr_scheduler.LambdaLR(optimizer, steps),
            }
        return {
            "optimizer": optimizer,
            "lr_scheduler": torch.optim.lr_scheduler.StepLR(optimizer, schedule.every, schedule.factor),
        }

    def _begin_epoch(self) -> None:
        # Not Lightning's on_train_epoch_start: that is left out in the first epoch after a resume. Dropout is
        # a function of (seed, epoch), so a resumed run repeats an uninterrupted one.
        seed = dropout_seed(self.recipe.seed, self.current_epoch)
        torch.manual_seed(seed)
        streams = Streams([seed])
        for module in self.model.modules():
            if isinstance(module, Dropout):
                module.streams = streams
        self._sums, self._counts, self._joint, self._labelled = {}, {}, 0.0, 0

    def training_step(self, batch: Batch, batch_index: int) -> None:
        """One step of the optimizer. Raises NonFiniteLoss, naming the batch's utterances."""
        if batch_index == 0:
            self._begin_epoch()
        clips = self.dropout(batch.clips, batch.index, self.current_epoch)
        output = self.model(clips)
        losses = self.model.task_losses(output, batch.labels)
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        joint = self.weighting.backward(
            losses,
            shared=self.shared,
            features=output.features,
            backward=self.manual_backward,
        )
        if not bool(torch.isfinite(joint)):
            raise not_finite(
                float(joint), self.current_epoch, [self.train_ids[i] for i in batch.index.tolist()]
            )
        if self.recipe.optimizer.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters(), self.recipe.optimizer.clip_norm)
        optimizer.step()
        if self.weighting.needs_losses_after_step:
            with torch.no_grad():
                after = self.model.task_losses(self.model(clips), batch.labels)
            self.weighting.after_step(after)
        labelled = int(torch.stack([known(labels, 1) for labels in batch.labels.values()]).any(dim=0).sum())
        self._joint += float(joint) * labelled
        self._labelled += labelled
        for task, loss in losses.items():
            n = int(known(batch.labels[task], 1).sum())
            self._sums[task] = self._sums.get(task, 0.0) + float(loss.detach()) * n
            self._counts[task] = self._counts.get(task, 0) + n

    def on_validation_epoch_start(self) -> None:
        """Forget the last epoch's answers."""
        self._validation, self._batch_losses = [], []

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Keep the answers and losses of one batch of the part that is watched."""
        output: Output = self.model(batch.clips)
        self._validation.append(
            (
                {task: told.float().cpu() for task, told in output.told.items()},
                _to_cpu({**batch.labels, **batch.codes}),
            )
        )
        losses = self.model.task_losses(output, batch.labels)
        if self.recipe.training.criterion == "last_batch":
            self._batch_losses.append(float(self.weighting(losses)) if losses else float("inf"))
        for task, loss in losses.items():
            n = int(known(batch.labels[task], 1).sum())
            key = f"validation {task}"
            self._sums[key] = self._sums.get(key, 0.0) + float(loss) * n
            self._counts[key] = self._counts.get(key, 0) + n

    def close_epoch(self) -> None:
        """After validation: the epoch's row of metrics.csv is made, then the schedules move on."""
        means = {task: total / self._counts[task] for task, total in self._sums.items()}
        trained = {task: mean for task, mean in means.items() if task in self.recipe.tasks}
        optimizer: Any = self.optimizers()
        row: dict[str, float] = {
            "epoch": self.current_epoch + 1,
            "lr": optimizer.param_groups[0]["lr"],
            "train_joint": self._joint / self._labelled if self._labelled else float("nan"),
        }
        for task, mean in trained.items():
            row[f"train_loss_{task}"] = mean
        row |= self._validation_row(means)
        row |= {f"weight_{task}": weight for task, weight in self.weighting.weights().items()}
        for name, centers in self._centers().items():
            moved = (centers.detach().cpu() - self.first_centers[name].cpu()).norm(dim=1).mean()
            row[f"center_displacement_{name.removesuffix('.centers')}"] = float(moved)
        self.history.append(row)
        self.weighting.end_epoch(trained)
        scheduler: Any = self.lr_schedulers()
        if scheduler is not None:
            scheduler.step()

    def _validation_row(self, means: Mapping[str, float]) -> dict[str, float]:
        if not self._validation:
            return {}
        row: dict[str, float] = {}
        for task, space in self.model.label_spaces.items():
            logits = torch.cat([logits[task] for logits, _ in self._validation])
            labels = torch.cat([labels[task] for _, labels in self._validation])
            there = known(labels)
            if f"validation {task}" in means:
                row[f"{self.watched}_loss_{task}"] = means[f"validation {task}"]
            if bool(there.any()):
                found = measure(labels[there].numpy(), logits[there].argmax(dim=1).numpy(), space)
                row[f"{self.watched}_acc_{task}"] = found.acc
                row[f"{self.watched}_bacc_{task}"] = found.bacc
        for task, dimension in self.model.dimensions.items():
            outputs = torch.cat([told[task] for told, _ in self._validation])
            ratings = torch.cat([labels[task] for _, labels in self._validation])
            there = known(ratings)
            if bool(there.any()):
                row[f"{self.watched}_loss_{task}"] = means[f"validation {task}"]
                row[f"{self.watched}_ccc_{task}"] = measure_ratings(
                    dimension.from_unit(ratings[there].double()).numpy(), answered(outputs[there], dimension)
                ).ccc
        for task, names in self.model.label_sets.items():
            probabilities = torch.cat([told[task] for told, _ in self._validation]).double().sigmoid().numpy()
            labels = torch.cat([labels[task] for _, labels in self._validation])
            there = known(labels, 1).numpy()
            if there.any():
                truth, p = labels.numpy()[there], probabilities[there]
                row[f"{self.watched}_loss_{task}"] = means[f"validation {task}"]
                found = measure_sets(truth, p, fit_thresholds(truth, p), names)
                row[f"{self.watched}_macro_f1_{task}"] = found.macro_f1
        if self._batch_losses:  # the part is not shuffled here, so which batch would be last is drawn
            draw = int(digest(str(self.recipe.seed), "last batch", str(self.current_epoch))[:15], 16)
            row[f"{self.watched}_last_batch"] = self._batch_losses[draw % len(self._batch_losses)]
        return row

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what ``metrics.csv`` needs of the epochs so far."""
        checkpoint["affuse_history"] = self.history
        checkpoint["affuse_first_centers"] = self.first_centers

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """See ``on_save_checkpoint``."""
        self.history = checkpoint["affuse_history"]
        self.first_centers = checkpoint["affuse_first_centers"]


def _to_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.cpu() for name, tensor in tensors.items()}
