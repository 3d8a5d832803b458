"""A step of a causal model as a stateless module, for export."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from graphfusion._utils.checks import check_range
from graphfusion._utils.evaluation import evaluation_view
from graphfusion.encoders.recurrent import RecurrentEncoder
from graphfusion.encoders.utterance_encoder import UtteranceEncoder
from graphfusion.export.program import ANY, export
from graphfusion.fusion.dynamic_fusion import DynamicFusion
from graphfusion.graph.builder import ConversationGraph
from graphfusion.models.conversation_model import ConversationModel
from graphfusion.streaming.graph_cache import GraphCache
from graphfusion.streaming.newest_rows import NewestRows
from graphfusion.streaming.recurrent_state import RecurrentState
from graphfusion.streaming.step_input import standardize_step

State = dict[str, Tensor]


class StreamingStep(torch.nn.Module):
    """Predicts the next utterance of B conversations, as :meth:`Stream.step` does.

    The state is a dict of tensors, which is both an input and an output. With a window, its size is
    fixed; without one, it grows by one utterance at each step.

    Args:
        model: A causal model that supports :meth:`ConversationModel.stream`.

    Shapes:
        - **input:** features `{modality: [B, d_m]}`, speaker `[B]`, present `{modality: [B]}`,
          state.
        - **output:** logits `[B, K]`, next state.

    Example:
        >>> import torch
        >>> from graphfusion import MMDFN
        >>> from graphfusion.export import StreamingStep
        >>> step = StreamingStep(MMDFN({"text": 10}, num_classes=4, num_layers=2, causal=True))
        >>> state = step.start(num_conversations=1, num_speakers=2)
        >>> features, present = {"text": torch.randn(1, 10)}, {"text": torch.tensor([True])}
        >>> logits, state = step(features, torch.tensor([0]), present, state)
        >>> logits.shape
        torch.Size([1, 4])
    """

    def __init__(self, model: ConversationModel) -> None:
        super().__init__()
        model.stream()  # raises an error unless the model is causal
        view = evaluation_view(model)
        assert isinstance(view.encoder, UtteranceEncoder)  # noqa: S101 - for the type checker
        assert isinstance(view.graph, ConversationGraph)  # noqa: S101
        assert isinstance(view.fusion, DynamicFusion)  # noqa: S101
        self.encoder, self.graph = view.encoder, view.graph
        self.fusion, self.head = view.fusion, view.head
        self.eval()

    def start(self, num_conversations: int, num_speakers: int) -> State:
        """Returns the state before the first utterance.

        Args:
            num_conversations: Number of conversations B.
            num_speakers: Maximum number of speakers of a conversation; indices must be smaller.
        """
        encoder = self.encoder
        cache, past = self._cache(num_conversations), self.graph.past
        places = 1 if past is None else max(past, 1)  # still empty
        state: State = {}
        for name, axis in cache.growing.items():
            shape = list(getattr(cache, name).shape)
            shape[axis] = places
            state[name] = getattr(cache, name).new_zeros(shape)
        for name, context in encoder.contexts.items():
            state[f"context.{name}"] = RecurrentState(context, num_conversations).state
        if encoder.speaker_encoder is not None:
            size = num_conversations, num_speakers, len(encoder.modalities)
            state["speakers"] = RecurrentState(encoder.speaker_encoder, *size).state
        return state

    def forward(
        self,
        features: Mapping[str, Tensor],
        speaker: Tensor,
        present: Mapping[str, Tensor],
        state: State,
    ) -> tuple[Tensor, State]:
        """Returns the logits of the next utterances, and the next state; `state` is not mutated.

        Raises:
            ValueError: Unless it is exported: as :meth:`Stream.step` does.
        """
        encoder, names = self.encoder, self.encoder.modalities
        weight = self.fusion.weight
        new: State = {}
        if "speakers" in state:
            check_range("speaker", speaker, state["speakers"].size(2))
        standardized = standardize_step(encoder.standardize, features, present, weight.dtype)
        projected = encoder.project(standardized)
        everyone = torch.arange(speaker.size(0), device=speaker.device)
        context = {}
        for name in names:
            if (key := f"context.{name}") in state:
                recurrent = _recurrent(encoder.contexts[name], state[key])
                context[name] = recurrent.step(projected[name], present[name], everyone)
                recurrent.commit()
                new[key] = recurrent.state
        mask = torch.stack([present[name] for name in names], 1)
        spoken = {}
        if encoder.speaker_encoder is not None:
            recurrent = _recurrent(encoder.speaker_encoder, state["speakers"])
            own = torch.stack([projected[name] for name in names], 1)
            own = recurrent.step(own, mask, everyone, speaker)
            recurrent.commit()
            spoken = dict(zip(names, own.unbind(1), strict=True))
            new["speakers"] = recurrent.state
        nodes = encoder.join(projected, context, spoken)
        cache = self._cache(speaker.size(0))
        vars(cache).update({name: state[name] for name in cache.growing})
        newest = cache.newest(nodes, mask, everyone)
        fused = self.fusion(nodes, newest)
        logits: Tensor = self.head(cache.impute(fused, mask, everyone), standardized)
        cache.append(newest, fused, everyone)
        new |= {name: getattr(cache, name) for name in cache.growing}
        return logits, {key: new[key] for key in state}

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs, in the order of the exported program."""
        names = list(self.encoder.in_channels)
        features, present = (
            [f"{kind}.{name}" for name in names] for kind in ("features", "present")
        )
        return [*features, "speaker", *present, *(f"state.{key}" for key in self.start(1, 1))]

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs."""
        return ["logits", *(f"next.{key}" for key in self.start(1, 1))]

    def export(self) -> torch.export.ExportedProgram:
        """Exports the step with :func:`torch.export.export`.

        The numbers of conversations and of speakers are dynamic. Without a window, so is the number
        of earlier utterances.
        """
        size, sizes, weight = 3, self.encoder.in_channels, self.fusion.weight
        state = self.start(size, 4)
        shapes: dict[str, dict[int, Any]] = {}
        grows: dict[str, int] = GraphCache.growing if self.graph.past is None else {}
        for key, value in state.items():
            axes = {int(key in {"nodes", "speakers"} or key.startswith("context.")): ANY}
            if key == "speakers":
                axes[2] = ANY
            if key in grows:
                axes[grows[key]] = ANY
                state[key] = value.repeat_interleave(5, grows[key])
            shapes[key] = axes
        example = (
            {name: weight.new_zeros(size, d) for name, d in sizes.items()},
            torch.zeros(size, dtype=torch.int64, device=weight.device),
            {name: torch.ones(size, dtype=torch.bool, device=weight.device) for name in sizes},
            state,
        )
        several = {0: ANY}
        named = dict.fromkeys(sizes, several)
        return export(self, example, (named, several, named, shapes))

    def _cache(self, size: int) -> "_OrderedCache":
        return _OrderedCache(self.graph, self.fusion, size, len(self.encoder.modalities))


class _OrderedCache(GraphCache):
    """A cache that stores utterances in order, the newest last, rather than in a ring buffer."""

    def _window(self, conversation: Tensor) -> tuple[slice, slice, slice]:
        del conversation  # a step always includes every conversation
        return slice(None), slice(None), slice(None)

    def _distance(self, conversation: Tensor, size: int) -> Tensor:
        return (size - torch.arange(size, device=conversation.device)).unsqueeze(0)

    def append(self, newest: NewestRows, fused: Tensor, conversation: Tensor) -> None:
        """Appends the newest utterances; with a window, drops the oldest ones."""
        del conversation
        if self.graph.past == 0:
            return
        added = {
            "unit": newest.unit,
            "scale": newest.scale,
            "fused": fused.to(self.fused.dtype),
            "nodes": torch.stack(newest.inputs).to(self.nodes.dtype),
        }
        for name, axis in self.growing.items():
            old = getattr(self, name)
            if self.graph.past is not None:
                old = old.narrow(axis, 1, old.size(axis) - 1)
            setattr(self, name, torch.cat([old, added[name].unsqueeze(axis)], axis))


def _recurrent(encoder: RecurrentEncoder, state: Tensor) -> RecurrentState:
    recurrent = RecurrentState.__new__(RecurrentState)
    recurrent.encoder, recurrent.state = encoder, state.clone()
    return recurrent
