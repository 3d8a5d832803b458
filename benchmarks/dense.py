"""Baseline: the construction of published code, dense, padded, and one speaker at a time.

It is written anew, with the weights of the library's modules. One `(M*U) x (M*U)` matrix for the
whole batch is filled for each conversation, and normalised by two products with a diagonal matrix.
Propagation is dense. Recurrent encoders run on zero-padded sequences, for each speaker and
modality.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch_geometric.nn.module_dict import ModuleDict

from graphfusion import MMDFN, DynamicFusion


def dense_adjacency(x: Tensor, lengths: tuple[int, ...]) -> Tensor:
    """Normalised adjacency P of `x [U, M, C]`, as `[M * U, M * U]` ordered by modality."""
    size, num_modalities, _ = x.shape
    adjacency = x.new_zeros(num_modalities * size, num_modalities * size)
    start = 0
    for length in lengths:
        part = x[start : start + length]
        unit = part / part.norm(dim=-1, keepdim=True)
        for m in range(num_modalities):
            rows = slice(m * size + start, m * size + start + length)
            adjacency[rows, rows] = _similarity(unit[:, m] @ unit[:, m].T)
            for n in range(num_modalities):
                if m != n:
                    places = torch.arange(start, start + length, device=x.device)
                    weights = _similarity((unit[:, m] * unit[:, n]).sum(-1))
                    adjacency[m * size + places, n * size + places] = weights
        start += length
    degree = adjacency.sum(1).pow(-0.5).diag()
    return degree @ adjacency @ degree


def dense_fusion(fusion: DynamicFusion, x: Tensor, adjacency: Tensor) -> Tensor:
    """Applies the layers of a fusion to `x [N, C]`, with a dense adjacency."""
    x = fusion.dropout(x)
    h0 = fusion.lin(x).relu()
    z = fusion.dropout(h0)
    memory = None
    for k, weight in enumerate(fusion.weight, start=1):
        q = g = z
        if fusion.cell is not None:
            memory = fusion.cell(q, memory)
            g = memory[0]
        p = adjacency @ g
        theta = math.log(fusion.theta / k + 1)
        residual = (1 - fusion.alpha) * p + fusion.alpha * h0
        z = (theta * (torch.cat([p, h0], -1) @ weight) + (1 - theta) * residual).relu()
        z = fusion.dropout(z)
        if fusion.cell is not None:
            z = z + q
    return torch.cat([x, z], -1)


def _gru(rnn: torch.nn.RNNBase) -> torch.nn.GRU:
    """A copy, as PyTorch has it."""
    options: dict[str, Any] = {"dropout": rnn.dropout, "bidirectional": rnn.bidirectional}
    gru = torch.nn.GRU(rnn.input_size, rnn.hidden_size, rnn.num_layers, **options)
    gru.load_state_dict(rnn.state_dict())
    return gru.to(next(rnn.parameters()).device).train(rnn.training)


class DenseMMDFN(torch.nn.Module):
    """Dense MM-DFN, with the weights of a :class:`graphfusion.MMDFN`."""

    def __init__(self, model: MMDFN, lengths: tuple[int, ...], num_speakers: int) -> None:
        super().__init__()
        self.model = model
        self.lengths = lengths
        self.num_speakers = num_speakers
        # PyTorch's own: the memory of ours is laid out for a direction at a time.
        encoder = model.encoder
        self.contexts = ModuleDict(
            {name: _gru(each.rnn) for name, each in encoder.contexts.items()}
        )
        self.speakers = encoder.speaker_encoder and _gru(encoder.speaker_encoder.rnn)

    def forward(self, features: dict[str, Tensor], speaker: Tensor) -> Tensor:
        """Returns logits, `[U, K]`."""
        model, lengths = self.model, list(self.lengths)
        encoder = model.encoder
        size = torch.tensor(lengths, device=speaker.device)
        packed = torch.arange(max(lengths), device=speaker.device).unsqueeze(1) < size
        who = pad_sequence(speaker.split(lengths), padding_value=-1)
        nodes = []
        for name in model.in_channels:
            x = encoder.projections[name](pad_sequence(features[name].split(lengths)))
            node = self.contexts[name](x)[0] if name in self.contexts else x
            if weight := encoder.speaker_weights[name]:
                node = node + weight * self._history(x, who)
            nodes.append(node.transpose(0, 1)[packed.T])
        stacked = torch.stack(nodes, 1)
        adjacency = dense_adjacency(stacked, self.lengths)
        out = dense_fusion(model.fusion, torch.cat(nodes), adjacency)
        out = torch.cat(out.chunk(len(nodes)), -1)
        logits: Tensor = model.head.linear(model.head.dropout(out).relu())
        return logits

    def _history(self, x: Tensor, who: Tensor) -> Tensor:
        assert self.speakers is not None  # noqa: S101
        history = x.new_zeros(x.shape)
        for speaker in range(self.num_speakers):
            own = torch.zeros_like(x)
            steps_of = [(who[:, b] == speaker).nonzero().squeeze(1) for b in range(x.size(1))]
            for b, steps in enumerate(steps_of):
                own[: len(steps), b] = x[steps, b]
            encoded = self.speakers(own)[0]
            for b, steps in enumerate(steps_of):
                history[steps, b] = encoded[: len(steps), b]
        return history


def _similarity(cosine: Tensor) -> Tensor:
    return 1 - torch.acos(0.99999 * cosine) / math.pi
