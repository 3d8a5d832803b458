"""Conversion of the weights of the authors' graph network (github.com/zerohd4869/MM-DFN)."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor

ModuleT = TypeVar("ModuleT", bound=torch.nn.Module)


def load(
    make: Callable[..., ModuleT], state_dict: Mapping[str, Tensor], arguments: Mapping[str, Any]
) -> ModuleT:
    """Builds a `DynamicFusion` with those weights, gated by default if they include a gate.

    Raises:
        ValueError: If a weight is missing.
        RuntimeError: If a weight is of another shape, or the gate has none.
    """
    state = read_fusion(state_dict)
    hidden_channels, in_channels = state["lin.weight"].shape
    arguments = {"gated": "cell.weight_ih" in state, **arguments}
    fusion = make(in_channels, hidden_channels, len(state["weight"]), **arguments)
    if not arguments["gated"]:
        state = {key: value for key, value in state.items() if "cell" not in key}
    fusion.to(state["weight"].dtype).load_state_dict(state)
    return fusion


def read_fusion(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Converts the state dict of a `graph_net` to that of a `DynamicFusion`.

    Raises:
        ValueError: If a weight is missing, or there are several modules of that kind.
    """
    found = [key for key in state_dict if key.endswith("fcs.0.weight")]
    if len(found) != 1:
        raise ValueError(f"state_dict must have one graph_net's fcs.0.weight, but has {found}.")
    prefix = found[0].removesuffix("fcs.0.weight")
    num_layers = sum(key.startswith(f"{prefix}convs.") for key in state_dict)
    layers = [f"{prefix}convs.{layer}.weight" for layer in range(max(num_layers, 1))]
    state = {
        "lin.weight": get_weight(state_dict, f"{prefix}fcs.0.weight"),
        "lin.bias": get_weight(state_dict, f"{prefix}fcs.0.bias"),
        "weight": torch.stack([get_weight(state_dict, key) for key in layers]),
    }
    if any(key.startswith(f"{prefix}rnn.") for key in state_dict):
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            state[f"cell.{name}"] = get_weight(state_dict, f"{prefix}rnn.{name}_l0")
    return state


def get_weight(state_dict: Mapping[str, Tensor], key: str) -> Tensor:
    """Looks up a weight of the authors' code; raises a ValueError with its name if missing."""
    if key not in state_dict:
        raise ValueError(f"state_dict must have {key!r}, but has not.")
    return state_dict[key]
