"""A model in training, as Lightning wants it: its loss, its optimizer, its scores an epoch."""

from itertools import zip_longest
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import dropout
from torch_geometric.data import Batch

from graphfusion.data.labels import labelled
from graphfusion.data.modality_dropout import modality_dropout
from graphfusion.models.conversation_model import ConversationModel
from graphfusion.models.task import task_loss
from graphfusion.training.data import draw_seed
from graphfusion.training.metrics import GOALS, Scores
from graphfusion.training.settings import Settings


class TrainingModule(pl.LightningModule):
    """A model, its loss and its scores.

    All randomness is drawn from the seed, the epoch, the step and the process, so that a run that
    was killed goes on as if it had not been.

    Args:
        model: What is trained.
        settings: How.
        seed: Draws dropout.
        scored: Names of what is scored after each epoch; the first one chooses the epoch.
        class_weights: `[K]`, for the loss; None: ones.
    """

    class_weights: Tensor

    def __init__(
        self,
        model: ConversationModel,
        settings: Settings,
        seed: int,
        scored: tuple[str, ...],
        class_weights: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.settings = settings
        self.seed = seed
        self.scored = scored
        if class_weights is None:
            class_weights = torch.ones(model.num_classes)
        self.register_buffer("class_weights", class_weights)
        self.scores = torch.nn.ModuleList(
            Scores(model.task, model.num_classes, settings.sentiment) for _ in scored
        )
        self.goal = f"{scored[0]}_{GOALS[model.task].name}"
        self.history: list[dict[str, float]] = []
        self.losses: list[Tensor] = []

    def forward(self, batch: Batch) -> Tensor:
        """Returns the logits of a batch of conversations."""
        logits: Tensor = self.model(batch)
        return logits

    def drop_features(
        self, _: Module, given: tuple[Any], features: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Their mean, which is 0, stands in for dropped features."""
        p = self.settings.drop_features if self.training else 0.0
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
        """This process's share of the mean loss over the step's labelled utterances.

        Processes have unequal numbers of them, and the trainer averages their gradients: so each
        contributes its sum, times the number of processes, over all.
        """
        if self.settings.modality_dropout:
            batch.present = modality_dropout(batch.present, self.settings.modality_dropout)
        settings, y = self.settings, batch.y
        with torch.autocast(self.device.type, torch.bfloat16, enabled=settings.autocast):
            logits = self(batch).to(self.class_weights.dtype)
        mean = task_loss(logits, y, self.model.task, settings.gamma, self.class_weights)
        own = labelled(y).sum().float()
        everyone = self.trainer.strategy.reduce(own.clone(), reduce_op="sum").clamp_min(1)
        loss: Tensor = mean * (own * self.trainer.world_size / everyone)
        self.losses.append(loss.detach())
        return loss

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Scores a batch of what stands at that place of `scored`."""
        del batch_idx
        self.scores[dataloader_idx].update(self(batch), batch.y)  # type: ignore[operator]

    def on_validation_epoch_end(self) -> None:
        """Writes down the epoch's scores."""
        row = {"epoch": float(self.current_epoch)}
        loss = torch.stack(self.losses).mean()
        row["train_loss"] = float(self.trainer.strategy.reduce(loss, reduce_op="mean"))
        self.losses.clear()
        for prefix, scores in zip(self.scored, self.scores, strict=True):
            row |= {f"{prefix}_{key}": value for key, value in scores.compute().items()}  # type: ignore[operator]
            scores.reset()  # type: ignore[operator]
        self.log(self.goal, row[self.goal], prog_bar=True, logger=False, sync_dist=True)
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
            self.named_parameters(), lr=self.settings.lr, weight_decay=self.settings.weight_decay
        )
