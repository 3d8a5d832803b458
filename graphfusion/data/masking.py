"""Masking of absent nodes, and of conversations with NaN."""

from collections.abc import Sequence

import torch
from torch import Tensor

from graphfusion.data.layout import BatchLayout


def select(x: Tensor, layout: BatchLayout, modality: int | str | None = None) -> Tensor:
    """Zeroes absent nodes in `x [U, M, ...]`, or, of one modality, in `x [U, ...]`.

    By selection, not multiplication: absent nodes may hold NaN.
    """
    if layout.present is None or layout.is_screened:
        return x
    present = layout.present
    if modality is not None:
        present = present[:, layout.column(modality)]
    return x.where(_expand(present, x), 0)


def screen(
    x: Tensor, layout: BatchLayout, modality: int | str | None = None
) -> tuple[Tensor, Tensor | None]:
    """Zeroes what :func:`select` does, and every node of a conversation that has NaN.

    In a product over several conversations, NaN and infinity would reach the others, and in that of
    a gradient, the weights.

    Returns:
        x, and `[U]` bool, which utterances are of finite conversations: None in a model, which
        screens its features before its parts run.
    """
    if layout.is_screened:
        return x, None
    x = select(x, layout, modality)
    valid = finite([x], layout)
    return x.where(_expand(valid, x), 0), valid


def finite(nodes: Sequence[Tensor], layout: BatchLayout, fits: Tensor | None = None) -> Tensor:
    """Mask `[U]` of the utterances of conversations whose present nodes are all finite.

    Args:
        nodes: `[U, M, C]` once, or `[U, C]` of each modality in turn.
        layout: The batch's.
        fits: `[U, M]` bool, false for further nodes that count as infinite; None: for none.
    """
    norm = norms(nodes)
    if fits is not None:
        norm = norm.where(fits, torch.inf)
    if layout.present is not None:
        norm = norm.where(layout.present, 0)
    marks = (norm * 0).sum(1)  # 0, or NaN where one is infinite or NaN
    total = marks.new_zeros(layout.ptr.shape).index_add(0, layout.batch, marks)
    return total.index_select(0, layout.batch) == 0


def norms(nodes: Sequence[Tensor]) -> Tensor:
    """The largest absolute value `[U, M]` of each node of `nodes`, as :func:`finite` takes them."""
    found = [_norm(x.detach()) for x in nodes]
    return found[0] if found[0].dim() == 2 else torch.stack(found, 1)


def _norm(x: Tensor) -> Tensor:
    if x.device.type == "cpu":  # where vector_norm takes ten times as long
        return x.abs().amax(-1)
    norm: Tensor = torch.linalg.vector_norm(x, torch.inf, -1)
    return norm


def restore(out: Tensor, layout: BatchLayout, valid: Tensor | None) -> Tensor:
    """Puts zeros at absent nodes of `out [U, M, ...]`, and NaN in conversations that had NaN."""
    return restore_valid(select(out, layout), valid)


def restore_valid(out: Tensor, valid: Tensor | None) -> Tensor:
    """Puts NaN in `out [U, ...]` where `valid [U]` is false; None: nowhere."""
    return out if valid is None else out.where(_expand(valid, out), torch.nan)


def _expand(mask: Tensor, x: Tensor) -> Tensor:
    return mask.view(*mask.shape, *[1] * (x.dim() - mask.dim()))
