"""A cache of the graphs of growing conversations."""

from typing import ClassVar

import torch
from torch import Tensor

from graphfusion._utils.autocast import without_autocast
from graphfusion._utils.counted import counted
from graphfusion._utils.tracing import is_traced
from graphfusion.fusion.dynamic_fusion import DynamicFusion
from graphfusion.graph.builder import ConversationGraph, join_modalities
from graphfusion.graph.impute import decay
from graphfusion.graph.similarity import direction, similarity_of_cosine
from graphfusion.streaming.newest_rows import NewestRows

LEAST_CAPACITY = 16


class GraphCache:
    """Caches the past nodes of B conversations within the window, for graphs with `future=0`.

    A node's incoming edges never change, nor do those of earlier nodes: so it is enough to keep
    their directions, their degrees, the input of each layer's propagation, and the output.

    Args:
        graph: The graph's builder.
        fusion: The fusion that runs on the graph.
        num_conversations: B.
        num_modalities: M.

    Attributes:
        position: `[B]` int64 on the host, the number of utterances of each conversation so far.
        unit: `[B, M, K, C]`, the directions of the nodes there.
        scale: `[B, M, K]`, the inverse roots of their degrees; 0 where there is no node.
        nodes: `[L, B, M, K, H]`, the input of each layer's propagation.
        fused: `[B, M, K, out_channels]`, their fused vectors.
    """

    growing: ClassVar[dict[str, int]] = {
        "unit": 2,
        "scale": 2,
        "nodes": 3,
        "fused": 2,
    }
    modality_axis: ClassVar[dict[str, int]] = {"unit": 1, "scale": 1, "nodes": 2, "fused": 1}

    def __init__(
        self,
        graph: ConversationGraph,
        fusion: DynamicFusion,
        num_conversations: int,
        num_modalities: int,
    ) -> None:
        self.graph = graph
        like = fusion.weight.detach()
        size = num_conversations, num_modalities, 0
        self.position = torch.zeros(num_conversations, dtype=torch.int64, device="cpu")
        self.unit = direction(like.new_zeros(*size, fusion.in_channels))
        self.scale = self.unit.new_zeros(size)
        self.nodes = like.new_zeros(fusion.num_layers, *size, fusion.hidden_channels)
        self.fused = like.new_zeros(*size, fusion.out_channels)

    def newest(self, x: Tensor, present: Tensor, conversation: Tensor) -> NewestRows:
        """Computes the next utterances' rows of P, without appending them to the cache.

        Args:
            x: `[n, M, C]`, the nodes of one utterance of each of n conversations.
            present: `[n, M]` bool.
            conversation: `[n]` int64, on the host, which conversations they are.
        """
        place = self._window(conversation)
        x = x.where(present.unsqueeze(2), 0)
        with without_autocast(x.device):
            unit = direction(x)
            past, past_scale = self.unit[place], self.scale[place]
            joined = (past_scale > 0) & present.unsqueeze(2)
            cosine = (past @ unit.unsqueeze(3)).squeeze(3)
            within = similarity_of_cosine(cosine).where(joined, 0)
            itself = similarity_of_cosine(unit.ne(0).any(2).to(unit.dtype)).where(present, 0)
            across = self.graph.cross_weight * join_modalities(unit, present) + itself.diag_embed()
            degree = (within.sum(2) + across.sum(2)).where(present, 1)
            scale = degree.rsqrt()
            within = within * scale.unsqueeze(2) * past_scale
            across = across * scale.unsqueeze(2) * scale.unsqueeze(1)
        nodes = self.nodes[:, *place]
        scale = scale.where(present, 0)
        within, across = within.to(x.dtype), across.to(x.dtype)
        return NewestRows(within, across, present, nodes, unit, scale)

    def impute(self, fused: Tensor, present: Tensor, conversation: Tensor) -> Tensor:
        """Imputes the absent nodes of the next utterances, as the graph of a batch does.

        Args:
            fused: `[n, M, out_channels]`, their fused vectors.
            present: `[n, M]` bool.
            conversation: `[n]` int64, on the host, which conversations they are.
        """
        if not is_traced() and bool(present.all()):
            return fused
        place = self._window(conversation)
        past, mask = self.fused[place], self.scale[place] > 0
        distance = self._distance(conversation, past.size(2))
        weight = decay(distance.to(past.device).unsqueeze(1), mask, past.dtype)
        return fused.where(present.unsqueeze(2), (weight.unsqueeze(2) @ past).squeeze(2))

    def append(self, newest: NewestRows, fused: Tensor, conversation: Tensor) -> None:
        """Appends the utterances of :meth:`newest` after the fusion has run."""
        position = self.position[conversation]
        self._store(newest, fused, conversation, position)
        self.position[conversation] = position + 1

    def _store(
        self, newest: NewestRows, fused: Tensor, conversation: Tensor, place: Tensor
    ) -> None:
        past = self.graph.past
        if past == 0:
            return
        if past is not None:  # the oldest one goes
            place = place % past
        size = self.scale.size(2)
        if int(place.max()) >= size:
            grown = max(LEAST_CAPACITY, 2 * size)
            self._grow((grown if past is None else min(grown, past)) - size)
        conversation, place = conversation.to(self.scale.device), place.to(self.scale.device)
        self.unit[conversation, :, place] = newest.unit
        self.scale[conversation, :, place] = newest.scale
        self.fused[conversation, :, place] = fused.to(self.fused.dtype)
        inputs = torch.stack(newest.inputs).to(self.nodes.dtype)
        self.nodes[:, conversation, :, place] = inputs.transpose(0, 1)

    def tensors(self) -> dict[str, Tensor]:
        """All cached tensors by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}

    def check(self, position: Tensor, size: int) -> None:
        """Checks that a cache of this size fits conversations of these lengths.

        Raises:
            ValueError: If it does not, or a length is negative.
        """
        past, longest = self.graph.past, int(position.max())
        least, most = (longest, size) if past is None else (min(longest, past), past)
        if int(position.min()) < 0 or not least <= size <= most:
            raise ValueError(
                f"state must have a place for each of {counted(least, 'utterance')} within the "
                f"window, but got {size}."
            )

    def _window(self, conversation: Tensor) -> tuple[slice | Tensor, slice, slice]:
        """Index of the past of these conversations, by conversation, modality and place.

        A view of all of them is kept one: a copy would cost as much as what is done with it.
        """
        everyone = torch.equal(conversation, torch.arange(len(self.position), device="cpu"))
        chosen = slice(None) if everyone else conversation.to(self.scale.device)
        return chosen, slice(None), slice(int(self.position[conversation].max()))

    def _distance(self, conversation: Tensor, size: int) -> Tensor:
        """Distance `[n, K]` of each cached utterance from the next one."""
        # Where a window is full, the next place has the oldest one.
        return (self.position[conversation, None] - 1 - torch.arange(size, device="cpu")) % size + 1

    def _grow(self, more: int) -> None:
        pad = torch.nn.functional.pad
        self.unit = pad(self.unit, (0, 0, 0, more))
        self.scale = pad(self.scale, (0, more))
        self.nodes = pad(self.nodes, (0, 0, 0, more))
        self.fused = pad(self.fused, (0, 0, 0, more))
