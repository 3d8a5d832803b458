"""Conversation models, composed of an encoder, a graph, a fusion and a head."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch
from torch_geometric.nn.inits import reset

from graphfusion._utils.checks import unique_names
from graphfusion._utils.counted import counted
from graphfusion._utils.evaluation import evaluation_view
from graphfusion._utils.weights import first_weight
from graphfusion.data.conversation import Conversation
from graphfusion.data.layout import BatchLayout
from graphfusion.data.masking import restore, restore_valid
from graphfusion.data.standardize import Standardize
from graphfusion.models.inputs import layout_of, screen_features
from graphfusion.models.parts import check_parts
from graphfusion.models.pretrained import PretrainedModule
from graphfusion.models.task import Prediction, check_task, predictions
from graphfusion.streaming.part_checks import check_no_hooks, check_own_forward
from graphfusion.streaming.stream import Stream


class ConversationModel(PretrainedModule):
    """A model of conversations, composed of four parts: encoder, graph, fusion and head.

    It predicts every utterance. Any part may be replaced by a module of the same signature. The
    model checks its input and masks absent modalities once, before the parts run.

    Args:
        encoder: Features and layout to node vectors `[U, M, D]`: an :class:`UtteranceEncoder`, or
            a module with `in_channels`, `{modality: d_m}`, and `out_channels`, D. Its
            `standardize`, if it has one, is applied first.
        graph: Node vectors and layout to a graph with `propagate` and `impute`: a
            :class:`ConversationGraph`.
        fusion: Node vectors and graph to `[U, M, C]`: a :class:`DynamicFusion`,
            :class:`ConvFusion`, or a module with `in_channels` and `out_channels`.
        head: Fused nodes and standardised features to logits `[U, K]`: a :class:`Classifier`, or a
            module with `in_channels` and `out_channels`, K.
        class_names: Names of the K classes, or scores; None: "0", "1", and so on.
        task: "classification", "regression" or "multilabel".

    Raises:
        TypeError: If a part lacks what another one needs.
        ValueError: If the sizes of two parts disagree, `class_names` are not K different ones, or
            there is no such task.

    Shapes:
        - **input:** a batch of :class:`Conversation` objects, U utterances in all.
        - **output:** logits `[U, K]`.

    Example:
        >>> import torch
        >>> from graphfusion import (
        ...     Classifier, Conversation, ConversationGraph, DynamicFusion, UtteranceEncoder)
        >>> model = ConversationModel(
        ...     encoder=UtteranceEncoder({"audio": 6, "text": 10}, channels=8),
        ...     graph=ConversationGraph(past=10),
        ...     fusion=DynamicFusion(8, hidden_channels=4, num_layers=2),
        ...     head=Classifier(["audio", "text"], in_channels=12, num_classes=3),
        ... )
        >>> features = {"text": torch.randn(5, 10), "audio": torch.randn(5, 6)}
        >>> model(Conversation(features, speaker=torch.tensor([0, 1, 0, 0, 1]))).shape
        torch.Size([5, 3])
    """

    def __init__(
        self,
        encoder: torch.nn.Module,
        graph: torch.nn.Module,
        fusion: torch.nn.Module,
        head: torch.nn.Module,
        class_names: Sequence[str] | None = None,
        task: str = "classification",
    ) -> None:
        super().__init__()
        check_parts(encoder, graph, fusion, head)
        self.encoder = encoder
        self.graph = graph
        self.fusion = fusion
        self.head = head
        check_task(task, self.num_classes)
        self.task = task
        if class_names is None:
            class_names = [str(number) for number in range(self.num_classes)]
        self.class_names = unique_names("class_names", class_names)
        if len(self.class_names) != self.num_classes:
            raise ValueError(
                f"class_names must be {counted(self.num_classes, 'name')}, as num_classes is, "
                f"but got {len(self.class_names)}."
            )

    @property
    def in_channels(self) -> dict[str, int]:
        """The size of each modality's features, by name."""
        return dict(self.encoder.in_channels)  # type: ignore[arg-type]

    @property
    def num_classes(self) -> int:
        """Number K of classes, or of scores."""
        return int(self.head.out_channels)  # type: ignore[arg-type]

    @property
    def standardize(self) -> Standardize:
        """The encoder's :class:`Standardize`, to be fitted to the training conversations."""
        return self.encoder.standardize  # type: ignore[return-value]

    @property
    def config(self) -> dict[str, Any]:
        """The constructor's arguments by name, as JSON has them, without the parts."""
        return {"class_names": list(self.class_names), "task": self.task}

    def reset_parameters(self) -> None:
        """Reinitialises the weights, and resets the statistics of `standardize`."""
        for part in (self.encoder, self.graph, self.fusion, self.head):
            reset(part)  # of a part without the method: its children's

    def forward(
        self,
        features: Conversation | Mapping[str, Tensor],
        speaker: Tensor | BatchLayout | None = None,
        ptr: Tensor | BatchLayout | None = None,
        present: Mapping[str, Tensor] | None = None,
        return_gates: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Computes the logits of a batch.

        Args:
            features: A PyG batch of :class:`Conversation` objects, or one of them, and then nothing
                else; or `{modality: [U, d_m]}`, matched by name, in any floating dtype.
            speaker: `[U]` int64, numbered within each conversation; or the batch's layout, in
                place of all following arguments.
            ptr: `[B + 1]`, where the conversations start, and U; or a layout.
            present: `{modality: [U] bool}`; one that is not named is present throughout.
            return_gates: Whether to return the gates' activations of a :class:`DynamicFusion`, too.

        Returns:
            Logits, `[U, K]`: NaN for a conversation with NaN or infinity in a present feature, or
            with one that is beyond the range of the weights' dtype. With `return_gates`, these and
            the gates, `[L, U, M, 3]`.

        Raises:
            TypeError: If an argument is not a tensor of the right dtype.
            ValueError: If a modality is missing or unknown, shapes disagree, `ptr` is not one, or
                `return_gates` is True for a fusion without gates.
        """
        weight = first_weight(self)
        layout = layout_of(features, speaker, ptr, present, weight.device)
        features, layout, valid = screen_features(features, layout, self.encoder, weight.dtype)
        x = self.encoder(features, layout.screened())
        graph = self.graph(x, layout.screened())
        fused = self.fusion(x, graph, **({"return_gates": True} if return_gates else {}))
        fused, gates = fused if return_gates else (fused, [])
        logits = restore_valid(self.head(graph.impute(fused), features), valid)
        if not return_gates:
            return logits
        return logits, torch.stack([restore(each, layout, valid) for each in gates])

    @torch.inference_mode()
    def predict(self, conversation: Conversation) -> list[Prediction]:
        """Predicts every utterance of one conversation, without dropout.

        The model is not changed, so other threads may predict or train at the same time.

        Args:
            conversation: In any floating dtype, on any device.

        Returns:
            Each utterance's probabilities by the classes' names; where the task is one score, the
            score.

        Raises:
            TypeError: If it is not one conversation.
            ValueError: If a modality is missing, unknown or of another size.
        """
        if isinstance(conversation, Batch) or not isinstance(conversation, Conversation):
            raise TypeError(
                f"conversation must be one Conversation, but got {type(conversation).__name__}."
            )
        device = first_weight(self).device
        features = {name: value.to(device) for name, value in conversation.features.items()}
        logits = evaluation_view(self)(features, BatchLayout.of(conversation).to(device))
        return predictions(logits, self.task, self.class_names)

    def stream(self, num_conversations: int = 1) -> Stream:
        """Starts live conversations, predicted one utterance at a time.

        Args:
            num_conversations: Number B of parallel conversations.

        Raises:
            TypeError: If `num_conversations` is not an integer, or a part cannot stream.
            ValueError: If it is not positive, or the model is not causal.
        """
        check_own_forward("model", self, ConversationModel)
        check_no_hooks("model", self)
        return Stream(
            self.encoder, self.graph, self.fusion, self.head, num_conversations=num_conversations
        )

    def __repr__(self) -> str:
        parts = (self.encoder, self.graph, self.fusion, self.head)
        return f"{type(self).__name__}({', '.join(map(repr, parts))})"
