"""What the graphs of growing conversations remember, so that nothing is computed twice."""

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from graphfusion._utils.autocast import without_autocast
from graphfusion.graph.builder import ConversationGraph, join_modalities
from graphfusion.graph.impute import weigh
from graphfusion.graph.similarity import direction, similarity_of_cosine

if TYPE_CHECKING:
    from graphfusion.fusion.dynamic_fusion import DynamicFusion

LEAST_CAPACITY = 16


class GraphCache:
    """The past of B conversations whose graph has no future, as far as that graph reaches.

    What a node hears of earlier ones never changes, nor does what these hear themselves: so it is
    enough to keep their directions, their degrees, what each layer of the fusion propagated, and
    what came out.

    Args:
        graph: Says how far the past reaches.
        fusion: Runs on it.
        num_conversations: B.
        num_modalities: M.

    Attributes:
        position: `[B]` int64 on the host, how many utterances each conversation has had.
        speaker: `[B, K]` int64, who said what is in each of K places.
        unit: `[B, M, K, C]`, the directions of the nodes there.
        scale: `[B, M, K]`, the inverse roots of their degrees; 0 where there is no node.
        nodes: `[L, B, M, K, H]`, what they put into each layer's propagation.
        fused: `[B, M, K, out_channels]`, what the fusion made of them.
    """

    growing: ClassVar[dict[str, int]] = {
        "speaker": 1,
        "unit": 2,
        "scale": 2,
        "nodes": 3,
        "fused": 2,
    }

    def __init__(
        self,
        graph: ConversationGraph,
        fusion: "DynamicFusion",
        num_conversations: int,
        num_modalities: int,
    ) -> None:
        self.graph = graph
        like = fusion.weight.detach()
        size = num_conversations, num_modalities, 0
        self.position = torch.zeros(num_conversations, dtype=torch.int64)
        self.speaker = like.new_zeros(num_conversations, 0, dtype=torch.int64)
        self.unit = direction(like.new_zeros(*size, fusion.in_channels))
        self.scale = self.unit.new_zeros(size)
        self.nodes = like.new_zeros(fusion.num_layers, *size, fusion.hidden_channels)
        self.fused = like.new_zeros(*size, fusion.out_channels)

    def newest(
        self, x: Tensor, present: Tensor, conversation: Tensor, speaker: Tensor
    ) -> "NewestRows":
        """What the next utterances hear; the memory stays as it is until they are remembered.

        Args:
            x: `[n, M, C]`, the nodes of one utterance of each of n conversations.
            present: `[n, M]` bool.
            conversation: `[n]` int64, on the host, which conversations they are.
            speaker: `[n]` int64.
        """
        place = self._within_reach(conversation)
        x = x.where(present.unsqueeze(2), 0)
        with without_autocast(x.device):
            unit = direction(x)
            past, past_scale = self.unit[place], self.scale[place]
            joined = (past_scale > 0) & present.unsqueeze(2)
            cosine = (past @ unit.unsqueeze(3)).squeeze(3)
            within = similarity_of_cosine(cosine).where(joined, 0)
            itself = similarity_of_cosine(unit.ne(0).any(2).to(unit.dtype)).where(present, 0)
            if self.graph.relations is not None:
                other = self.speaker[place[0], place[2]] != speaker.unsqueeze(1)
                earlier = torch.full_like(other, -1, dtype=torch.int64)
                within = within * self.graph.relations(other, earlier).unsqueeze(1)
                itself = itself * self.graph.relations.strength[0]
            across = self.graph.cross_weight * join_modalities(unit, present) + itself.diag_embed()
            degree = (within.sum(2) + across.sum(2)).where(present, 1)
            scale = degree.rsqrt()
            within = within * scale.unsqueeze(2) * past_scale
            across = across * scale.unsqueeze(2) * scale.unsqueeze(1)
        nodes = self.nodes[:, *place]
        scale = scale.where(present, 0)
        within, across = within.to(x.dtype), across.to(x.dtype)
        return NewestRows(within, across, present, nodes, speaker, unit, scale)

    def impute(self, fused: Tensor, present: Tensor, conversation: Tensor) -> Tensor:
        """What :func:`graphfusion.graph.impute.impute` makes of the next utterances.

        Args:
            fused: `[n, M, out_channels]`, what the fusion made of them.
            present: `[n, M]` bool.
            conversation: `[n]` int64, on the host, which conversations they are.
        """
        if bool(present.all()):
            return fused
        place = self._within_reach(conversation)
        past, heard = self.fused[place], self.scale[place] > 0
        size = past.size(2)
        # Where a window is full, the next place has the oldest one.
        distance = (self.position[conversation, None] - 1 - torch.arange(size)) % size + 1
        weight = weigh(distance.to(past.device).unsqueeze(1), heard, past.dtype)
        return fused.where(present.unsqueeze(2), (weight.unsqueeze(2) @ past).squeeze(2))

    def remember(self, newest: "NewestRows", fused: Tensor, conversation: Tensor) -> None:
        """Takes in the utterances that :meth:`newest` was asked for, once the fusion has run."""
        place = self.position[conversation]
        self.position[conversation] = place + 1
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
        self.speaker[conversation, place] = newest.speaker
        self.unit[conversation, :, place] = newest.unit
        self.scale[conversation, :, place] = newest.scale
        self.fused[conversation, :, place] = fused.to(self.fused.dtype)
        heard = torch.stack(newest.heard).to(self.nodes.dtype)
        self.nodes[:, conversation, :, place] = heard.transpose(0, 1)

    def check(self, position: Tensor, size: int) -> None:
        """Checks that so many places are enough for conversations that are so long.

        Raises:
            ValueError: If they are not, or a length is negative.
        """
        past, longest = self.graph.past, int(position.max())
        least, most = (longest, size) if past is None else (min(longest, past), past)
        if int(position.min()) < 0 or not least <= size <= most:
            raise ValueError(
                f"state must have a place for each of {least} utterances in reach, but got {size}."
            )

    def _within_reach(self, conversation: Tensor) -> tuple[slice | Tensor, slice, slice]:
        """Where the past of these conversations is, by conversation, modality and place.

        A view of all of them is kept one: a copy would cost as much as what is done with it.
        """
        everyone = torch.equal(conversation, torch.arange(len(self.position)))
        chosen = slice(None) if everyone else conversation.to(self.scale.device)
        return chosen, slice(None), slice(int(self.position[conversation].max()))

    def _grow(self, more: int) -> None:
        pad = torch.nn.functional.pad
        self.speaker = pad(self.speaker, (0, more))
        self.unit = pad(self.unit, (0, 0, 0, more))
        self.scale = pad(self.scale, (0, more))
        self.nodes = pad(self.nodes, (0, 0, 0, more))
        self.fused = pad(self.fused, (0, 0, 0, more))


class NewestRows:
    """The newest utterances' rows of P; propagates like a :class:`MultimodalGraph`, layer by layer.

    Attributes:
        across: `[n, M, M]`, their entries in the columns of the same utterance.
        present: `[n, M]` bool.
        speaker: `[n]` int64.
        unit: `[n, M, C]`, the nodes' directions.
        scale: `[n, M]`, the inverse roots of their degrees; 0 where there is no node.
        heard: `[n, M, H]` of each layer so far: what was propagated.
    """

    def __init__(
        self,
        within: Tensor,
        across: Tensor,
        present: Tensor,
        nodes: Tensor,
        speaker: Tensor,
        unit: Tensor,
        scale: Tensor,
    ) -> None:
        self.intra = within
        self.inter = across
        self.present = present
        self.speaker = speaker
        self.unit = unit
        self.scale = scale
        self.heard: list[Tensor] = []
        self._nodes = nodes

    def propagate(self, x: Tensor) -> Tensor:
        """Returns the newest rows of `P x`; of all others, x is remembered from the same layer."""
        past = self._nodes[len(self.heard)]
        self.heard.append(x)
        received = (self.intra.unsqueeze(2).to(x.dtype) @ past.to(x.dtype)).squeeze(2)
        return torch.baddbmm(received, self.inter.to(x.dtype), x)
