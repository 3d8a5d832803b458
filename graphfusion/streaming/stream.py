"""Causal inference, one utterance at a time."""

from collections.abc import Mapping

import torch
from torch import Tensor

from graphfusion._utils.checks import (
    check_features,
    check_finite,
    check_known,
    check_range,
    check_size,
    check_tensor,
)
from graphfusion._utils.evaluation import evaluation_view
from graphfusion._utils.weights import first_weight
from graphfusion.data.standardize import Standardized
from graphfusion.encoders.utterance_encoder import UtteranceEncoder
from graphfusion.fusion.dynamic_fusion import DynamicFusion
from graphfusion.graph.builder import ConversationGraph
from graphfusion.streaming.graph_cache import GraphCache
from graphfusion.streaming.recurrent_state import RecurrentState, SpeakerState

State = GraphCache | RecurrentState


class Stream:
    """Predicts conversations utterance by utterance, with the hidden states of a causal model.

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
        num_conversations: How many conversations B go on side by side.

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
        modalities = len(encoder.in_channels)
        self._graph = GraphCache(graph, self._fusion, num_conversations, modalities)
        self._contexts = {
            name: RecurrentState(self._encoder.contexts[name], num_conversations)
            for name in encoder.modalities
            if name in self._encoder.contexts
        }
        self._speakers = None
        if self._encoder.speaker_encoder is not None:
            self._speakers = SpeakerState(
                self._encoder.speaker_encoder, num_conversations, modalities
            )

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
                infinite where present. The hidden states are then as they were.
        """
        conversation, speaker, mask = self._check(features, speaker, conversation, present)
        encoder, names = self._encoder, self._encoder.modalities
        with torch.no_grad():
            weight = first_weight(encoder.projections)
            columns = dict(zip(names, mask.unbind(1), strict=True))
            standardized = Standardized(
                {
                    name: x.where(columns[name].unsqueeze(1), 0).to(weight.dtype)
                    for name, x in encoder.standardize(features).items()
                }
            )
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
            self._graph.append(newest, fused, conversation)
        return logits

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of all hidden states, to be saved with any container of tensors.

        What belongs to one modality has its name, so that their order does not matter.
        """
        return {key: value.clone() for key, value in self._tensors().items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continues from the hidden states of another stream of the same model.

        Args:
            state: What its :meth:`state_dict` returned.

        Raises:
            TypeError: If it is not a mapping, or something in it no tensor of the right dtype.
            ValueError: If something is missing, unknown or of another shape, as that of another
                model or number of conversations is. The hidden states are then as they were.
        """
        own = self._tensors()
        if not isinstance(state, Mapping):
            raise TypeError(f"state must be a mapping, but got {type(state).__name__}.")
        if state.keys() != own.keys():
            raise ValueError(f"state must have {sorted(own)}, but got {sorted(state)}.")
        loaded: list[tuple[State, str, Tensor]] = []
        for name, part in self._parts().items():
            size: int | str = "any"  # that of the axes that grow, the same in all of a part
            for attribute, expected in part.tensors().items():
                axis, grows = part.modality_axis.get(attribute), part.growing.get(attribute)
                shape: list[int | str] = list(expected.shape)
                pieces = []
                for key in self._keys(name, part, attribute):
                    if grows is not None:
                        shape[grows] = size
                    piece = shape if axis is None else shape[:axis] + shape[axis + 1 :]
                    check_tensor(f"state[{key!r}]", state[key], piece, expected.dtype)
                    if grows is not None:
                        size = state[key].size(grows - (axis is not None and axis < grows))
                    pieces.append(state[key])
                value = pieces[0] if axis is None else torch.stack(pieces, axis)
                loaded.append((part, attribute, value.to(expected.device, copy=True)))
        found = {attribute: value for part, attribute, value in loaded if part is self._graph}
        self._graph.check(found["position"], found["scale"].size(2))
        for part, attribute, value in loaded:
            setattr(part, attribute, value)

    def _parts(self) -> dict[str, State]:
        parts: dict[str, State] = {"graph": self._graph}
        parts |= {f"contexts.{name}": state for name, state in self._contexts.items()}
        return parts if self._speakers is None else parts | {"speakers": self._speakers}

    def _keys(self, name: str, part: State, attribute: str) -> list[str]:
        """The keys of a hidden state: one, or one for each modality."""
        key = f"{name}.{attribute}"
        if attribute not in part.modality_axis:
            return [key]
        return [f"{key}.{modality}" for modality in self._encoder.modalities]

    def _tensors(self) -> dict[str, Tensor]:
        """All hidden states by their keys, those of a modality as views."""
        tensors: dict[str, Tensor] = {}
        for name, part in self._parts().items():
            for attribute, value in part.tensors().items():
                axis = part.modality_axis.get(attribute)
                views = [value] if axis is None else value.unbind(axis)
                tensors |= zip(self._keys(name, part, attribute), views, strict=True)
        return tensors

    def _check(
        self,
        features: Mapping[str, Tensor],
        speaker: Tensor | None,
        conversation: Tensor | None,
        present: Mapping[str, Tensor] | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The conversations, on the host, who speaks, and `[n, M]` bool, what is present."""
        in_channels = self._encoder.in_channels
        device = first_weight(self._encoder.projections).device
        if conversation is None:
            conversation = torch.arange(self.num_conversations)
        check_tensor("conversation", conversation, ["n"], torch.int64)
        conversation = conversation.cpu()
        check_range("conversation", conversation, self.num_conversations)
        size = len(conversation)
        if size == 0 or len(conversation.unique()) < size:
            raise ValueError(
                f"conversation must name at least one, and each once, but got "
                f"{conversation.tolist()}."
            )
        check_features(features, in_channels, size)
        present = {} if present is None else present
        if not isinstance(present, Mapping):
            raise TypeError(
                "present must be given by name, {modality: [n] bool}, as features are, but got "
                f"{type(present).__name__}."
            )
        check_known("present", present, in_channels)
        everywhere = torch.ones(size, dtype=torch.bool, device=device)
        mask = {name: present.get(name, everywhere) for name in in_channels}
        for name, column in mask.items():
            check_tensor(f"present[{name!r}]", column, [size], torch.bool)
            # Anything else would be cached, and spoil all that follows.
            check_finite(f"features[{name!r}]", features[name], column)
        if speaker is None and self._speakers is None:
            speaker = torch.zeros_like(conversation)
        check_tensor("speaker", speaker, [size], torch.int64)
        assert speaker is not None  # noqa: S101 - for the type checker; checked above
        if speaker.min() < 0:
            raise ValueError(f"speaker must not be negative, but got {int(speaker.min())}.")
        return conversation, speaker, torch.stack(list(mask.values()), 1)
