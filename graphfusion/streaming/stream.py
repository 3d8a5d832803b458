"""Streaming inference of a causal model, one utterance at a time."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from graphfusion._utils.checks import check_features, check_size
from graphfusion._utils.evaluation import evaluation_view
from graphfusion._utils.weights import first_weight
from graphfusion.encoders.context import ContextEncoder
from graphfusion.encoders.speaker import SpeakerEncoder
from graphfusion.encoders.utterance_encoder import UtteranceEncoder
from graphfusion.fusion.dynamic_fusion import DynamicFusion
from graphfusion.graph.builder import ConversationGraph
from graphfusion.streaming.graph_cache import GraphCache
from graphfusion.streaming.part_checks import check_no_hooks, check_own_forward
from graphfusion.streaming.recurrent_state import RecurrentState, SpeakerState
from graphfusion.streaming.step_input import (
    check_conversation,
    check_present,
    check_speaker,
    standardize_step,
)
from graphfusion.streaming.stream_state import StreamState


class Stream:
    """Streaming inference: predicts live conversations one utterance at a time.

    Each utterance's logits are those that the model gives it within the whole conversation. With a
    window (`past`), an utterance costs the same however long the conversation is; without one, its
    time and the memory are linear in the number of earlier ones. Made by
    :meth:`ConversationModel.stream`. The weights must not change, and must not move, while the
    stream lasts. Several streams of one model may run in several threads; one stream may not.

    Args:
        encoder: A causal :class:`UtteranceEncoder`.
        graph: A :class:`ConversationGraph` with `future=0`.
        fusion: A :class:`DynamicFusion`.
        head: The classifier.
        num_conversations: Number B of parallel conversations.

    Raises:
        TypeError: If `num_conversations` is not an integer, or a part is of another class.
        ValueError: If it is not positive, or a part is not causal.

    Example:
        >>> import torch
        >>> from graphfusion import MMDFN
        >>> stream = MMDFN({"text": 10}, num_classes=4, causal=True).stream()
        >>> stream.step({"text": torch.randn(1, 10)}, speaker=torch.tensor([0])).shape
        torch.Size([1, 4])
    """

    def __init__(
        self,
        encoder: torch.nn.Module,
        graph: torch.nn.Module,
        fusion: torch.nn.Module,
        head: torch.nn.Module,
        num_conversations: int = 1,
    ) -> None:
        check_size("num_conversations", num_conversations)
        parts = {"encoder": UtteranceEncoder, "graph": ConversationGraph, "fusion": DynamicFusion}
        for name, part in (("encoder", encoder), ("graph", graph), ("fusion", fusion)):
            if not isinstance(part, parts[name]):
                raise TypeError(
                    f"{name} must be of {parts[name].__name__} to stream, but got "
                    f"{type(part).__name__}."
                )
        assert isinstance(encoder, UtteranceEncoder)  # noqa: S101 - for the type checker
        assert isinstance(graph, ConversationGraph)  # noqa: S101
        assert isinstance(fusion, DynamicFusion)  # noqa: S101
        check_own_forward("fusion", fusion, DynamicFusion)  # which is called, so that hooks run
        for name, part, kind in _replaced(encoder, graph):
            check_own_forward(name, part, kind)
            check_no_hooks(name, part)
        if encoder.bidirectional or graph.future != 0:
            raise ValueError(
                "causal must be True for a model to stream, but got False: the encoder must not be "
                "bidirectional, and the graph must have future=0."
            )
        # Views in evaluation mode, so that no step changes the mode of what a thread may train.
        self._encoder = evaluation_view(encoder)
        self._fusion = evaluation_view(fusion)
        self._head = evaluation_view(head)
        self.num_conversations = num_conversations
        with torch.inference_mode(False), torch.no_grad():
            self._start(graph)

    def _start(self, graph: ConversationGraph) -> None:
        """Makes the hidden states."""
        encoder, num_conversations = self._encoder, self.num_conversations
        modalities = len(encoder.in_channels)
        self._graph = GraphCache(graph, self._fusion, num_conversations, modalities)
        self._contexts = {
            name: RecurrentState(encoder.contexts[name], num_conversations)
            for name in encoder.modalities
            if name in encoder.contexts
        }
        recurrent = {f"contexts.{name}": state for name, state in self._contexts.items()}
        self._speakers = None
        if encoder.speaker_encoder is not None:
            self._speakers = SpeakerState(encoder.speaker_encoder, num_conversations, modalities)
            recurrent["speakers"] = self._speakers
        self._recurrent = list(recurrent.values())
        self._state = StreamState(self._graph, recurrent, encoder.modalities)

    def step(
        self,
        features: Mapping[str, Tensor],
        speaker: Tensor | None = None,
        conversation: Tensor | None = None,
        present: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Predicts the next utterance of some of the conversations, one of each.

        Args:
            features: `{modality: [n, d_m]}`, matched by name, in any floating dtype; finite where
                present.
            speaker: `[n]` int64, numbered within each conversation; None if the model has no
                speaker encoder.
            conversation: `[n]` int64, which conversations they belong to, each of them once; None:
                all of them, in order.
            present: `{modality: [n] bool}`; one that is not named is present.

        Returns:
            Logits, `[n, K]`, without dropout and without gradients.

        Raises:
            TypeError: If an argument is not a tensor of the right dtype.
            ValueError: If a modality is missing or unknown, shapes disagree, a speaker is negative
                or missing, a conversation is unknown or named twice, or a feature is NaN or
                infinite where present, or leaves the range of the weights' dtype. The hidden
                states are then as they were.
        """
        # The states are no inference tensors, so that steps in inference mode and others alternate.
        with torch.inference_mode(False), torch.no_grad():
            return self._step(features, speaker, conversation, present)

    def _step(
        self,
        features: Mapping[str, Tensor],
        speaker: Tensor | None,
        conversation: Tensor | None,
        present: Mapping[str, Tensor] | None,
    ) -> Tensor:
        encoder, names = self._encoder, self._encoder.modalities
        weight = first_weight(encoder.projections)
        if conversation is None:
            conversation = torch.arange(self.num_conversations, device="cpu")
        conversation = check_conversation(conversation, self.num_conversations)
        size = len(conversation)
        check_features(features, encoder.in_channels, size)
        columns = check_present(present, encoder.in_channels, size, weight.device)
        if speaker is None and self._speakers is None:
            speaker = torch.zeros_like(conversation)
        speaker = check_speaker(speaker, size)
        standardized = standardize_step(encoder.standardize, features, columns, weight.dtype)
        mask = torch.stack([columns[name] for name in names], 1)
        projected = encoder.project(standardized)
        context = {
            name: state.step(projected[name], columns[name], conversation)
            for name, state in self._contexts.items()
        }
        spoken = {}
        if self._speakers is not None:
            place = self._speakers.place(conversation, speaker.cpu())
            own = torch.stack(list(projected.values()), 1)
            own = self._speakers.step(own, mask, conversation, place)
            spoken = dict(zip(projected, own.unbind(1), strict=True))
        nodes = encoder.join(projected, context, spoken)
        newest = self._graph.newest(nodes, mask, conversation)
        fused = self._fusion(nodes, newest)
        imputed = self._graph.impute(fused, mask, conversation)
        logits: Tensor = self._head(imputed, standardized)
        # At last, so that a step that fails changes nothing.
        self._graph.append(newest, fused, conversation)
        for state in self._recurrent:
            state.commit()
        return logits

    def state_dict(self) -> dict[str, Tensor]:
        """Copies all hidden states, to be saved with any container of tensors.

        Keys have the names of modalities, so that their order does not matter.
        """
        return {key: value.clone() for key, value in self._state.tensors().items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restores the hidden states of another stream of the same model.

        Args:
            state: What its :meth:`state_dict` returned.

        Raises:
            TypeError: If it is not a mapping, or something in it no tensor of the right dtype.
            ValueError: If something is missing, unknown or of another shape, as that of another
                model or number of conversations is. The hidden states are then as they were.
        """
        with torch.inference_mode(False), torch.no_grad():
            self._state.load(state)


def _replaced(
    encoder: UtteranceEncoder, graph: ConversationGraph
) -> Iterator[tuple[str, torch.nn.Module, type[torch.nn.Module]]]:
    """The modules that a stream does not call: names, modules, and classes whose steps it knows."""
    yield "encoder", encoder, UtteranceEncoder
    yield "graph", graph, ConversationGraph
    for name, context in encoder.contexts.items():
        yield f"encoder.contexts[{name!r}]", context, ContextEncoder
    if encoder.speaker_encoder is not None:
        yield "encoder.speaker_encoder", encoder.speaker_encoder, SpeakerEncoder
