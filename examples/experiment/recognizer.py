"""One model in training, as the trainer wants it: its loss, its optimizer, its scores an epoch."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import dropout
from torch_geometric.data import Batch
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from experiment.batches import draw_seed
from experiment.models import make_model
from experiment.recipes import Recipe
from graphfusion import Conversation, focal_loss, modality_dropout


class Recognizer(pl.LightningModule):
    """A model, its loss and its scores.

    All randomness is drawn from the seed, the epoch, the step and the process, so that a run that
    was killed goes on as if it had not been.
    """

    class_weights: Tensor

    def __init__(
        self,
        name: str,
        preset: str,
        in_channels: dict[str, int],
        classes: Sequence[str],
        recipe: dict[str, Any],
        seed: int,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.recipe = Recipe(**recipe)
        self.seed = seed
        self.model = make_model(name, preset, in_channels, classes, self.recipe.model)
        self.model.standardize.register_forward_hook(self._drop_features)
        self.register_buffer("class_weights", torch.ones(len(classes)))
        # Every process scores all of the data, so there is nothing to put together.
        scores: dict[str, Metric | MetricCollection] = {
            "accuracy": MulticlassAccuracy(len(classes), average="micro", sync_on_compute=False),
            "f1": MulticlassF1Score(len(classes), average="weighted", sync_on_compute=False),
        }
        self.scores = torch.nn.ModuleList(
            MetricCollection(scores).clone(prefix=prefix) for prefix in ("val_", "test_")
        )
        self.history: list[dict[str, float]] = []
        self.losses: list[Tensor] = []

    def fit_statistics(self, conversations: Sequence[Conversation]) -> None:
        """Takes what is known of the training conversations before training."""
        self.model.standardize.fit(conversations)
        labels = torch.cat([each.y for each in conversations])
        counts = labels.bincount(minlength=len(self.class_weights)).clamp_min(1)
        self.class_weights = (len(labels) / counts) ** self.recipe.class_weights

    def forward(self, batch: Batch) -> Tensor:
        """Returns the logits of a batch of conversations."""
        logits: Tensor = self.model(batch)
        return logits

    def _drop_features(
        self, _: Module, given: tuple[Any], features: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Their mean, which is 0, stands in for dropped features."""
        p = self.recipe.drop_features if self.training else 0.0
        if not p or features is given[0]:  # standardised, and dropped, already
            return features
        return {name: dropout(value, p) for name, value in features.items()}

    def on_fit_start(self) -> None:
        """Gives the loggers the epochs before a resumption."""
        for row in self.history:
            self._write(row)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Draws the step's randomness anew."""
        del batch
        seed = draw_seed(self.seed, self.current_epoch, batch_idx, self.global_rank)
        torch.manual_seed(seed)

    def training_step(self, batch: Batch) -> Tensor:
        """This process's share of the mean loss over the step's utterances.

        Processes have unequal numbers of utterances, and the trainer averages their gradients: so
        each contributes its sum, times the number of processes, over all utterances.
        """
        if self.recipe.modality_dropout:
            batch.present = modality_dropout(batch.present, self.recipe.modality_dropout)
        mean = focal_loss(self(batch), batch.y, self.recipe.gamma, self.class_weights)
        own = torch.tensor(float(len(batch.y)), device=self.device)
        everyone = self.trainer.strategy.reduce(own.clone(), reduce_op="sum")
        loss: Tensor = mean * (own * self.trainer.world_size / everyone)
        self.losses.append(loss.detach())
        return loss

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Scores a batch of held-out (0) or test (1) conversations."""
        del batch_idx
        self.scores[dataloader_idx].update(self(batch), batch.y)  # type: ignore[operator]

    def on_validation_epoch_end(self) -> None:
        """Writes down the epoch's scores."""
        row = {"epoch": float(self.current_epoch)}
        loss = torch.stack(self.losses).mean()
        row["train_loss"] = float(self.trainer.strategy.reduce(loss, reduce_op="mean"))
        self.losses.clear()
        for scores in self.scores:
            row |= {key: float(value) for key, value in scores.compute().items()}  # type: ignore[operator]
            scores.reset()  # type: ignore[operator]
        self.log("val_f1", row["val_f1"], prog_bar=True, logger=False, sync_dist=True)
        self.history.append(row)
        self._write(row)

    def _write(self, row: dict[str, float]) -> None:
        for logger in self.loggers:
            logger.log_metrics(row, step=int(row["epoch"]))
            logger.save()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps the history with the weights."""
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes up the history.

        Raises:
            ValueError: If the optimiser's state, which goes by position, is of other parameters.
        """
        self.history = checkpoint["history"]
        names = [name for name, _ in self.named_parameters()]
        for state in checkpoint.get("optimizer_states", []):
            saved = [name for group in state["param_groups"] for name in group["param_names"]]
            if saved != names:
                first = next(pair for pair in zip_longest(saved, names) if pair[0] != pair[1])
                raise ValueError(
                    "the checkpoint's optimiser must have the model's parameters in the same "
                    f"order, but it has {first[0]} in the place of {first[1]}."
                )

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, as published."""
        return torch.optim.Adam(
            self.named_parameters(), lr=self.recipe.lr, weight_decay=self.recipe.weight_decay
        )
