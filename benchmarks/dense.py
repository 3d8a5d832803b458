"""Baseline: the construction of published code, dense, padded, and one speaker at a time.

It is written anew, with the weights of the library's modules. One `(M*U) x (M*U)` matrix for the
whole batch is filled for each conversation, and normalised by two products with a diagonal matrix.
Propagation is dense. Recurrent encoders run on zero-padded sequences, for each speaker and
modality.
"""

import math

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

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


class DenseMMDFN(torch.nn.Module):
    """Dense MM-DFN, with the weights of a :class:`graphfusion.MMDFN`."""

    def __init__(self, model: MMDFN, lengths: tuple[int, ...], num_speakers: int) -> None:
        super().__init__()
        self.model = model
        self.lengths = lengths
        self.num_speakers = num_speakers

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
            node = encoder.contexts[name].rnn(x)[0] if name in encoder.contexts else x
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
        encoder = self.model.encoder.speaker_encoder
        assert encoder is not None  # noqa: S101
        history = x.new_zeros(x.shape)
        for speaker in range(self.num_speakers):
            own = torch.zeros_like(x)
            steps_of = [(who[:, b] == speaker).nonzero().squeeze(1) for b in range(x.size(1))]
            for b, steps in enumerate(steps_of):
                own[: len(steps), b] = x[steps, b]
            encoded = encoder.rnn(own)[0]
            for b, steps in enumerate(steps_of):
                history[steps, b] = encoded[: len(steps), b]
        return history


def _similarity(cosine: Tensor) -> Tensor:
    return 1 - torch.acos(0.99999 * cosine) / math.pi
