"""Live conversations: one utterance at a time, and nothing computed twice."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from graphfusion._utils.checks import (
    check_dtype,
    check_features,
    check_finite,
    check_range,
    check_size,
    check_tensor,
)
from graphfusion._utils.evaluation import evaluating
from graphfusion.encoders.recurrent import RecurrentState
from graphfusion.encoders.speaker import SpeakerState
from graphfusion.streaming.graph_cache import GraphCache

if TYPE_CHECKING:
    from graphfusion.models.mmdfn import MMDFN

Memory = GraphCache | RecurrentState


class Stream:
    """Conversations that go on, and what a causal model remembers of them.

    Each utterance's logits are those that the model gives it within the whole conversation. With a
    window (`past`), an utterance costs the same however long the conversation is; without one, its
    time and the memory are linear in what came before. Made by :meth:`MMDFN.stream`; the model's
    weights must not change, and it must not move, while the stream lasts.

    Args:
        model: A causal model.
        num_conversations: How many conversations B go on side by side.

    Raises:
        TypeError: If `num_conversations` is not an integer.
        ValueError: If it is not positive, or the model is not causal.
    """

    def __init__(self, model: "MMDFN", num_conversations: int = 1) -> None:
        check_size("num_conversations", num_conversations)
        if not model.causal:
            raise ValueError("causal must be True for a model to stream, but got False.")
        self.model = model
        self.num_conversations = num_conversations
        modalities = len(model.in_channels)
        self._graph = GraphCache(model.graph, model.fusion, num_conversations, modalities)
        self._contexts = {
            name: RecurrentState(encoder, num_conversations)
            for name, encoder in model.contexts.items()
        }
        self._speakers = None
        if model.speaker_encoder is not None:
            self._speakers = SpeakerState(model.speaker_encoder, num_conversations, modalities)

    def step(
        self,
        features: Mapping[str, Tensor],
        speaker: Tensor | None = None,
        conversation: Tensor | None = None,
        present: Tensor | None = None,
    ) -> Tensor:
        """Takes the next utterance of some of the conversations, one of each.

        Args:
            features: `{modality: [n, d_m]}`, matched by name; finite where present.
            speaker: `[n]` int64, numbered within each conversation; None if the model has neither a
                speaker encoder nor relations.
            conversation: `[n]` int64, which conversations they belong to, each of them once; None:
                all of them, in order.
            present: `[n, M]` bool, its columns in the order of the model's `in_channels`; None:
                everything is present.

        Returns:
            Logits, `[n, K]`, without dropout and without gradients.

        Raises:
            TypeError: If an argument is not a tensor of the right dtype.
            ValueError: If a modality is missing or unknown, shapes disagree, a speaker is negative
                or missing, a conversation is unknown or named twice, or a feature is NaN or
                infinite where present. What is remembered is then as it was.
        """
        conversation, speaker, present = self._check(features, speaker, conversation, present)
        model = self.model
        with torch.no_grad(), evaluating(model):
            prepared = model.prepare(features, present)
            projected = model.project(prepared)
            here = dict(zip(model.in_channels, present.unbind(1), strict=True))
            context = {
                name: memory.step(projected[name], here[name], conversation)
                for name, memory in self._contexts.items()
            }
            history = {}
            if self._speakers is not None:
                place = self._speakers.place(conversation, speaker.cpu())
                turns = torch.stack(list(projected.values()), 1)
                turns = self._speakers.step(turns, present, conversation, place)
                history = dict(zip(projected, turns.unbind(1), strict=True))
            nodes = model.join(projected, context, history)
            newest = self._graph.newest(nodes, present, conversation, speaker.to(nodes.device))
            fused = model.fusion(nodes, newest)
            filled = self._graph.impute(fused, present, conversation)
            logits = model.classify(filled, prepared)
            self._graph.remember(newest, fused, conversation)
        return logits

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of all that is remembered, to be saved with any container of tensors."""
        return {
            name: getattr(memory, attribute).clone()
            for name, (memory, attribute) in self._tensors().items()
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Goes on where another stream of the same model stood.

        Args:
            state: What its :meth:`state_dict` returned.

        Raises:
            TypeError: If it is not a mapping, or something in it no tensor of the right dtype.
            ValueError: If something is missing, unknown or of another shape, as that of another
                model or number of conversations is. What is remembered is then as it was.
        """
        own = self._tensors()
        if not isinstance(state, Mapping):
            raise TypeError(f"state must be a mapping, but got {type(state).__name__}.")
        if state.keys() != own.keys():
            raise ValueError(f"state must have {list(own)}, but got {list(state)}.")
        sizes: dict[int, int] = {}
        for name, (memory, attribute) in own.items():
            expected: Tensor = getattr(memory, attribute)
            shape: list[int | str] = list(expected.shape)
            if attribute in memory.growing:
                axis = memory.growing[attribute]
                shape[axis] = "any"
                check_tensor(f"state[{name!r}]", state[name], shape, expected.dtype)
                shape[axis] = sizes.setdefault(id(memory), state[name].size(axis))
            check_tensor(f"state[{name!r}]", state[name], shape, expected.dtype)
        self._graph.check(state["graph.position"], state["graph.scale"].size(2))
        for name, (memory, attribute) in own.items():
            like: Tensor = getattr(memory, attribute)
            setattr(memory, attribute, state[name].to(like.device, copy=True))

    def _tensors(self) -> dict[str, tuple[Memory, str]]:
        """All that is remembered: of what memory, and which attribute."""
        memories: dict[str, Memory] = {"graph": self._graph}
        memories |= {f"contexts.{name}": memory for name, memory in self._contexts.items()}
        if self._speakers is not None:
            memories["speakers"] = self._speakers
        return {
            f"{name}.{attribute}": (memory, attribute)
            for name, memory in memories.items()
            for attribute, value in vars(memory).items()
            if isinstance(value, Tensor)
        }

    def _check(
        self,
        features: Mapping[str, Tensor],
        speaker: Tensor | None,
        conversation: Tensor | None,
        present: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The conversations, on the host, who speaks, and what is present."""
        weight, in_channels = self.model.classifier.weight, self.model.in_channels
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
        if present is None:
            present = torch.ones(size, len(in_channels), dtype=torch.bool, device=weight.device)
        check_tensor("present", present, [size, len(in_channels)], torch.bool)
        for name, here in zip(in_channels, present.unbind(1), strict=True):
            check_dtype(f"features[{name!r}]", features[name], weight)
            # Anything else would be remembered, and spoil all that follows.
            check_finite(f"features[{name!r}]", features[name], here)
        if speaker is None and self._speakers is None and self.model.graph.relations is None:
            speaker = torch.zeros_like(conversation)
        check_tensor("speaker", speaker, [size], torch.int64)
        assert speaker is not None  # noqa: S101 - for the type checker; checked above
        if speaker.min() < 0:
            raise ValueError(f"speaker must not be negative, but got {int(speaker.min())}.")
        return conversation, speaker, present
