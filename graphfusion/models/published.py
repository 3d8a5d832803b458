"""Conversion of models of the authors' code (github.com/zerohd4869/MM-DFN).

Their names are historical: `lstm_l` is a GRU, `rnn_parties` the speaker encoder, `smax_fc` the
classifier; the letters a, v and l are audio, visual and text.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch_geometric.nn.module_dict import ModuleDict

from graphfusion.fusion.published import get_weight, read_fusion

ModelT = TypeVar("ModelT", bound=torch.nn.Module)

# Their modalities in the order of their code, with the speaker weights that it has by default.
_SPEAKER_WEIGHTS = {"a": 3.0, "v": 0.0, "l": 1.0}

# Made by their constructors but not used by the model of the paper.
_UNUSED = re.compile(
    r"(gatedatt|att_model)\.|graph_model\.([avl]_fc|feature_fc|final_fc|[avl]_spk_embs"
    r"|speaker_embeddings|modal_embeddings)\."
)


def read_model(
    state_dict: Mapping[str, Tensor], modalities: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Converts a state dict to the arguments of an `MMDFN` and its state dict.

    Args:
        state_dict: Theirs.
        modalities: Our names for the modalities that it has, in its order.

    Raises:
        TypeError: If `state_dict` is not a mapping.
        ValueError: If a weight is missing or has no place in `MMDFN`, or a name too few or many.
    """
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"state_dict must be a mapping, but got {type(state_dict).__name__}.")
    for name in ("model", "state_dict", "model_state_dict"):
        if isinstance(state_dict.get(name), Mapping):
            raise ValueError(
                f"state_dict must have the weights themselves, but they are in its {name!r}: pass "
                f"checkpoint[{name!r}]."
            )
    if state_dict and all(key.startswith("module.") for key in state_dict):
        raise ValueError(
            "state_dict must have the model's own names, but all begin with 'module.', as "
            "DataParallel saves them: pass {key.removeprefix('module.'): value for ...}."
        )
    letters = [letter for letter in _SPEAKER_WEIGHTS if f"linear_{letter}.weight" in state_dict]
    if not letters:
        raise ValueError(
            "state_dict must be that of the authors' model, "
            "but has no linear_a, linear_v or linear_l."
        )
    if len(set(modalities)) != len(letters):
        raise ValueError(
            f"modalities must name {len(letters)}, as state_dict has {letters}, "
            f"but got {list(modalities)}."
        )
    names = dict(zip(letters, modalities, strict=True))
    places = {"rnn_parties": "encoder.speaker_encoder.rnn"}
    for letter, name in names.items():
        key = ModuleDict.to_internal_key(name)
        places[f"linear_{letter}"] = f"encoder.projections.{key}"
        places[f"lstm_{letter}"] = f"encoder.contexts.{key}.rnn"

    fusion = read_fusion(state_dict)
    state = {f"fusion.{key}": value for key, value in fusion.items()}
    for key, value in state_dict.items():
        module, _, weight = key.partition(".")
        if module in places:
            state[f"{places[module]}.{weight}"] = value
        elif key == "smax_fc.bias":
            state["head.linear.bias"] = value
        elif key == "smax_fc.weight":
            columns = value.chunk(len(names), 1)
            for name, column in zip(names.values(), columns, strict=True):
                state[f"head.linear.weight.{ModuleDict.to_internal_key(name)}"] = column
        elif not (_UNUSED.match(key) or key.startswith("graph_model.graph_net.")):
            raise ValueError(f"state_dict must be that of an MM-DFN model, but has {key!r}.")

    modules = {key.partition(".")[0] for key in state_dict}
    has_speakers = "rnn_parties" in modules
    num_classes, out_channels = get_weight(state_dict, "smax_fc.weight").shape
    get_weight(state_dict, "smax_fc.bias")
    hidden_channels, channels = fusion["lin.weight"].shape
    arguments = {
        "in_channels": {
            name: state_dict[f"linear_{at}.weight"].size(1) for at, name in names.items()
        },
        "num_classes": num_classes,
        "speaker_weights": {
            name: _SPEAKER_WEIGHTS[at] * has_speakers for at, name in names.items()
        },
        "context": [name for at, name in names.items() if f"lstm_{at}" in modules],
        "channels": channels,
        "hidden_channels": hidden_channels,
        "num_layers": len(fusion["weight"]),
        "gated": "cell.weight_ih" in fusion,
        "concat": out_channels != len(names) * hidden_channels,
    }
    return arguments, state


def load(
    make: Callable[..., ModelT],
    state_dict: Mapping[str, Tensor],
    modalities: Sequence[str],
    given: Mapping[str, Any],
) -> ModelT:
    """Builds an `MMDFN` with the weights of the authors' model."""
    arguments, state = read_model(state_dict, modalities)
    model = make(**{**arguments, **given})
    own = model.state_dict()
    unused = [key for key in state if key.startswith(("encoder.speaker_encoder.", "fusion.cell."))]
    for key in unused:
        if key not in own:  # without speaker weights, or without the gate
            del state[key]
    ours = ("encoder.standardize.", "head.utterance_classifier.")
    model.to(state["head.linear.bias"].dtype)
    for key, value in state.items():
        if not value.isfinite().all():
            raise ValueError(f"state_dict must be finite, but has NaN or infinity in our {key}.")
    state |= {key: value for key, value in model.state_dict().items() if key.startswith(ours)}
    _check_names(state, model.state_dict(), given)
    model.load_state_dict(state)
    return model


def _check_names(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor], given: Mapping[str, Any]
) -> None:
    for problem, keys in (("lacks", own.keys() - state), ("also has", state.keys() - own)):
        if keys:
            raise ValueError(
                f"state_dict must have the weights of a model with {dict(given)}, but it {problem} "
                f"those of {sorted(keys)}."
            )
