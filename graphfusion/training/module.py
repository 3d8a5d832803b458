"""The Lightning module: loss, optimizer, and metrics after each epoch."""

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
    """Lightning module of a conversation model.

    Random numbers depend only on the seed, epoch, step and process, so that a resumed run equals an
    uninterrupted one.

    Args:
        model: The model to train.
        settings: The training settings.
        seed: The seed of dropout.
        scored: Names of the data sets scored after each epoch; the first chooses the epoch.
        class_weights: `[K]`, class weights of the loss; None: ones.
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
        self.goal = GOALS[model.task]
        self.history: list[dict[str, float]] = []
        self.losses: list[Tensor] = []

    def drop_features(
        self, _: Module, given: tuple[Any], features: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Forward hook of the standardisation that sets features to 0, their mean, at random."""
        p = self.settings.drop_features if self.training else 0.0
        if not p or features is given[0]:  # already standardised, and so already dropped
            return features
        return {name: dropout(value, p) for name, value in features.items()}

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seeds the random generator for this step."""
        del batch
        seed = draw_seed(self.seed, self.current_epoch, batch_idx, self.global_rank)
        torch.manual_seed(seed)

    def training_step(self, batch: Batch) -> Tensor:
        """Returns this process's part of the mean loss over the step's labelled utterances.

        The trainer averages gradients over processes, which have different numbers of labels. So
        each process returns its summed loss times the number of processes, divided by the total
        number of labels.
        """
        if self.settings.modality_dropout:
            batch.present = modality_dropout(batch.present, self.settings.modality_dropout)
        settings, y = self.settings, batch.y
        with torch.autocast(self.device.type, torch.bfloat16, enabled=settings.autocast):
            logits = self.model(batch).to(self.class_weights.dtype)
        mean = task_loss(logits, y, self.model.task, settings.gamma, self.class_weights)
        own = labelled(y).sum().float()
        everyone = self.trainer.strategy.reduce(own.clone(), reduce_op="sum").clamp_min(1)
        loss: Tensor = mean * (own * self.trainer.world_size / everyone)
        self.losses.append(loss.detach())
        return loss

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Updates the metrics of one of the data sets in `scored`."""
        del batch_idx
        self.scores[dataloader_idx].update(self.model(batch), batch.y)  # type: ignore[operator]

    def on_validation_epoch_end(self) -> None:
        """Logs the epoch's training loss and scores."""
        row = {"epoch": float(self.current_epoch)}
        loss = torch.stack(self.losses).mean()
        row["train_loss"] = float(self.trainer.strategy.reduce(loss, reduce_op="mean"))
        self.losses.clear()
        for prefix, scores in zip(self.scored, self.scores, strict=True):
            row |= {f"{prefix}_{key}": value for key, value in scores.compute().items()}  # type: ignore[operator]
            scores.reset()  # type: ignore[operator]
        chooses = f"{self.scored[0]}_{self.goal.name}"
        self.log(chooses, row[chooses], prog_bar=True, logger=False, sync_dist=True)
        self.history.append(row)
        for logger in self.loggers:
            logger.log_metrics(row, step=self.current_epoch)

    def best_epoch(self, scored: str = "val") -> int:
        """Index of the first epoch with the best score on one of the data sets in `scored`."""
        return self.goal.best([row[f"{scored}_{self.goal.name}"] for row in self.history])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Saves the history of scores with the weights."""
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restores the history of scores, and checks the order of the optimiser's parameters.

        Raises:
            ValueError: If the optimiser's parameters differ in name or order. Its state is assigned
                by position, so it would be loaded into the wrong parameters.
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
        """Returns Adam, the optimiser of the paper."""
        return torch.optim.Adam(
            self.named_parameters(), lr=self.settings.lr, weight_decay=self.settings.weight_decay
        )
