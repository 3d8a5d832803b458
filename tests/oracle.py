"""A slow, obvious rendering of the mathematics: loops over pairs of nodes, dense matrices."""

import math

import torch
from torch import Tensor

from graphfusion import DynamicFusion


def similarity(a: Tensor, b: Tensor, same: bool) -> Tensor:
    if same:
        cosine = torch.tensor(float(a.any()), dtype=a.dtype)
    elif not a.any() or not b.any():
        cosine = torch.zeros((), dtype=a.dtype)
    else:
        cosine = (a * b).sum() / (a.norm() * b.norm())
    return 1 - torch.arccos(0.99999 * cosine) / math.pi


def adjacency(
    x: Tensor,
    ptr: Tensor,
    present: Tensor | None = None,
    past: int | None = None,
    future: int | None = None,
    cross_weight: float = 1.0,
    speaker: Tensor | None = None,
    strength: Tensor | None = None,
) -> Tensor:
    """P as `[U * M, U * M]`, target by source, node `u * M + m`."""
    size, num_modalities, _ = x.shape
    conversation = [int((ptr[1:] <= u).sum()) for u in range(size)]
    past = size if past is None else past
    future = size if future is None else future
    here = [[True] * num_modalities] * size if present is None else present.tolist()
    zero, weights = torch.zeros((), dtype=x.dtype), []
    for t, m in ((t, m) for t in range(size) for m in range(num_modalities)):
        for s, n in ((s, n) for s in range(size) for n in range(num_modalities)):
            absent = not (here[t][m] and here[s][n])
            reached = conversation[t] == conversation[s] and t - past <= s <= t + future
            weight = zero
            if not absent and m == n and reached:
                weight = similarity(x[t, m], x[s, n], same=t == s)
                if speaker is not None and strength is not None:
                    weight = weight * strength[relation(speaker, t, s)]
            if not absent and m != n and t == s:
                weight = cross_weight * similarity(x[t, m], x[s, n], same=False)
            weights.append(weight)
    a = torch.stack(weights).view(size * num_modalities, -1)
    degree = a.sum(1)
    scale = torch.where(degree > 0, degree, 1) ** -0.5
    return scale.unsqueeze(1) * a * scale


def relation(speaker: Tensor, target: int, source: int) -> int:
    """Self; the past, of the same speaker or another; the future, likewise."""
    if target == source:
        return 0
    other = int(speaker[target] != speaker[source])
    return (1 if source < target else 3) + other


def fuse(fusion: DynamicFusion, x: Tensor, p: Tensor) -> Tensor:
    """The recurrence of the paper, line by line, without dropout; `x [N, C]`."""
    h0 = torch.relu(fusion.lin(x))
    z = h0
    g, c = torch.zeros_like(h0), torch.zeros_like(h0)
    for k, weight in enumerate(fusion.weight, start=1):
        q = z
        if fusion.cell is not None:
            cell = fusion.cell
            gates = q @ cell.weight_ih.T + cell.bias_ih + g @ cell.weight_hh.T + cell.bias_hh
            i, f, new, o = gates.chunk(4, -1)
            c = f.sigmoid() * c + i.sigmoid() * new.tanh()
            g = o.sigmoid() * c.tanh()
        message = p @ (g if fusion.gated else q)
        theta = math.log(fusion.theta / k + 1)
        support = torch.cat([message, h0], -1) @ weight
        residual = (1 - fusion.alpha) * message + fusion.alpha * h0
        z = torch.relu(theta * support + (1 - theta) * residual)
        if fusion.gated:
            z = z + q
    return torch.cat([x, z], -1) if fusion.concat else z


def fill(
    x: Tensor, ptr: Tensor, present: Tensor, past: int | None = None, future: int | None = None
) -> Tensor:
    """What stands in for the absent nodes of `x [U, M, C]`."""
    size, num_modalities, _ = x.shape
    conversation = [int((ptr[1:] <= u).sum()) for u in range(size)]
    past = size if past is None else past
    future = size if future is None else future
    out = torch.where(present.unsqueeze(2), x, 0)
    for t, m in ((t, m) for t in range(size) for m in range(num_modalities)):
        reached = [
            s
            for s in range(max(t - past, 0), min(t + future + 1, size))
            if conversation[s] == conversation[t] and present[s, m]
        ]
        if not present[t, m] and reached:
            weight = torch.tensor([math.exp(-abs(s - t) / 3) for s in reached], dtype=x.dtype)
            out[t, m] = weight / weight.sum() @ x[reached, m]
    return out
