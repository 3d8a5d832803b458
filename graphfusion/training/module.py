"""The Lightning module: batches, loss, optimizer, and metrics after each epoch."""

from itertools import zip_longest
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import dropout
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from graphfusion.data.labels import labelled
from graphfusion.data.modality_dropout import modality_dropout
from graphfusion.datasets.corpus import Corpus
from graphfusion.models.conversation_model import ConversationModel
from graphfusion.models.losses import class_weights
from graphfusion.models.task import task_loss
from graphfusion.training.data import batches, draw_seed
from graphfusion.training.metrics import GOALS, Scores
from graphfusion.training.settings import Settings


class TrainingModule(pl.LightningModule):
    """Lightning module of a conversation model.

    Random numbers depend only on the seed, epoch, step and process, so that a resumed run equals an
    uninterrupted one.

    Args:
        model: The model to train.
        parts: A corpus whose split "train" is trained on, and whose others are scored each epoch.
        settings: The training settings.
        seed: The seed of the order and of dropout.
        workers: Number of processes that load data; 0: the main process.
    """

    class_weights: Tensor

    def __init__(
        self,
        model: ConversationModel,
        parts: Corpus,
        settings: Settings,
        seed: int,
        workers: int = 0,
    ) -> None:
        super().__init__()
        self.model = model
        self.parts = parts
        self.settings = settings
        self.seed = seed
        self.workers = workers
        weights = torch.ones(model.num_classes)
        if model.task == "classification":
            labels = torch.cat(parts.labels("train"))
            weights = class_weights(labels, model.num_classes, settings.class_weights)
        self.register_buffer("class_weights", weights)
        self.scored = [name for name in parts.splits if name != "train"]
        self.scores = torch.nn.ModuleList(
            Scores(model.task, model.num_classes, settings.sentiment) for _ in self.scored
        )
        self.goal = GOALS[model.task]
        self.history: list[dict[str, float]] = []
        self.losses: list[Tensor] = []

    def train_dataloader(self) -> DataLoader:
        """Loader of this process's part of each step of an epoch, whose order is its own."""
        training, epoch = self.parts.splits["train"], self.current_epoch
        size, rank, world = self.settings.batch_size, self.global_rank, self.trainer.world_size
        steps = batches(len(training), size, self.seed, epoch, rank, world)
        return DataLoader(training, batch_sampler=steps, num_workers=self.workers)

    def val_dataloader(self) -> list[DataLoader]:
        """A loader for each scored split."""
        size, workers = self.settings.batch_size, self.workers
        scored = [self.parts.splits[name] for name in self.scored]
        return [DataLoader(each, batch_size=size, num_workers=workers) for each in scored]

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
        weight = self.class_weights if self.model.task == "classification" else None
        mean = task_loss(logits, y, self.model.task, settings.gamma, weight)
        own = labelled(y).sum().float()
        everyone = self.trainer.strategy.reduce(own.clone(), reduce_op="sum").clamp_min(1)
        loss: Tensor = mean * (own * self.trainer.world_size / everyone)
        self.losses.append(loss.detach())
        return loss

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Updates the metrics of one of the scored splits."""
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
        chooses = f"val_{self.goal.name}"
        self.log(chooses, row[chooses], prog_bar=True, logger=False, sync_dist=True)
        self.history.append(row)
        for logger in self.loggers:
            logger.log_metrics(row, step=self.current_epoch)

    def best_epoch(self, scored: str = "val") -> int:
        """Index of the first epoch with the best score on one of the scored splits."""
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
