"""Checks that the parts of a model fit each other."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import torch

from graphfusion.data.layout import BatchLayout


def check_parts(
    encoder: torch.nn.Module,
    graph: torch.nn.Module,
    fusion: torch.nn.Module,
    head: torch.nn.Module,
) -> None:
    """Checks that the output size of each part is the input size of the next.

    Raises:
        TypeError: If a part is no module, or lacks an attribute that another one needs.
        ValueError: If their sizes or modalities disagree.
    """
    for name, part in (("encoder", encoder), ("graph", graph), ("fusion", fusion), ("head", head)):
        if not isinstance(part, torch.nn.Module):
            raise TypeError(f"{name} must be a torch.nn.Module, but got {type(part).__name__}.")
    if not isinstance(getattr(encoder, "in_channels", None), Mapping):
        raise TypeError(
            "encoder must have in_channels, {modality: d_m}, for the model to match features by "
            f"name, but {_name(encoder)} has {getattr(encoder, 'in_channels', None)!r}."
        )
    _check_sizes("encoder", encoder, "fusion", fusion)
    _check_sizes("fusion", fusion, "head", head)
    _size("head", head, "out_channels", "the model's number of classes")
    for name, part in (("fusion", fusion), ("head", head)):
        _check_modalities(name, part, encoder)
    _check_graph(graph, encoder, fusion)


def _check_modalities(name: str, part: torch.nn.Module, encoder: Any) -> None:
    """Checks the names of the nodes, which have no names themselves."""
    own, nodes = getattr(part, "modalities", None), getattr(encoder, "modalities", None)
    if not isinstance(own, list | tuple) or not all(isinstance(each, str) for each in own):
        return
    known = list(encoder.in_channels if nodes is None else nodes)
    # It may read some of the nodes, and those of another encoder may be no modalities.
    order = [each for each in known if each in own]
    if order != list(own) and (nodes is not None or set(own) == set(known)):
        raise ValueError(
            f"{name} must have the encoder's modalities {list(known)} in the same order, but "
            f"{_name(part)} has {list(own)}."
        )


def _check_sizes(
    name: str, part: torch.nn.Module, next_name: str, next_part: torch.nn.Module
) -> None:
    size = _size(name, part, "out_channels", f"{next_name} {_name(next_part)}")
    wanted = _size(next_name, next_part, "in_channels", f"{name} {_name(part)}")
    if size != wanted:
        raise ValueError(
            f"{next_name} must take what {name} gives, but {_name(next_part)} has in_channels "
            f"{wanted} and {_name(part)} out_channels {size}."
        )


def _size(name: str, part: torch.nn.Module, attribute: str, other: str) -> int:
    size = getattr(part, attribute, None)
    if not isinstance(size, Integral):
        raise TypeError(
            f"{name} must have an integer {attribute}, to be checked against {other}, but "
            f"{_name(part)} has {size!r}."
        )
    return int(size)


def _check_graph(graph: torch.nn.Module, encoder: torch.nn.Module, fusion: torch.nn.Module) -> None:
    """Checks the methods of the graph of a conversation of two utterances."""
    if any(each.is_meta for each in (*graph.parameters(), *graph.buffers())):
        return  # nothing can be computed with it yet
    with torch.device("cpu"), torch.no_grad():
        like = next(iter(graph.parameters()), torch.empty(0))
        sizes: Any = len(encoder.in_channels), encoder.out_channels  # type: ignore[arg-type]
        x = like.new_zeros(2, *sizes)
        layout = BatchLayout(torch.tensor([0, 2]), torch.tensor([0, 1])).to(like.device)
        built = graph(x, layout)
    if lacking := [name for name in ("propagate", "impute") if not hasattr(built, name)]:
        raise TypeError(
            f"graph must build an object with propagate and impute, for fusion {_name(fusion)} and "
            f"the model, but that of {_name(graph)}, {type(built).__name__}, lacks {lacking}."
        )


def _name(part: torch.nn.Module) -> str:
    return type(part).__name__
