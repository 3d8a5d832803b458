"""A model in a folder: `model.safetensors`, its weights, and `config.json`, how it was made.

The weights' file has the configuration, too, in its metadata: so the two are always of one model.
`config.json` is a copy of it, for people and other programs to read, and may be missing. A save
that is cut off, wherever that is, leaves the old model or the new one.
"""

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from graphfusion._utils.checks import check_tensor
from graphfusion._utils.extras import import_safetensors
from graphfusion._utils.files import staged

_FORMAT = "graphfusion.mmdfn"
_VERSION = 1
_WEIGHTS = "model.safetensors"
_CONFIG = "config.json"

ModuleT = TypeVar("ModuleT", bound=torch.nn.Module)


def save(
    folder: str | os.PathLike[str], arguments: Mapping[str, Any], state: Mapping[str, Tensor]
) -> None:
    """Writes a model's constructor arguments, as JSON has them, and its state.

    Raises:
        ImportError: If safetensors is not installed.
        OSError: If a file cannot be written; what was there before is there still.
    """
    folder = Path(folder)
    config = {"format": _FORMAT, "version": _VERSION, **arguments}
    text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    # Clones: on a GPU, the weights of a recurrent encoder are parts of one tensor.
    tensors = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in state.items()
    }
    weights = import_safetensors().save(tensors, {"config": text})
    folder.mkdir(parents=True, exist_ok=True)
    with (
        staged(folder / _WEIGHTS, weights) as new_weights,
        staged(folder / _CONFIG, text.encode()) as new_config,
    ):
        (folder / _CONFIG).unlink(missing_ok=True)  # it never lies beside another model's weights
        new_weights.replace(folder / _WEIGHTS)
        new_config.replace(folder / _CONFIG)


def load(make: Callable[..., ModuleT], folder: str | os.PathLike[str]) -> ModuleT:
    """Reads what :func:`save` wrote, and makes the model, in evaluation mode on the CPU.

    Nothing is unpickled, and no weight that the files declare is allocated before it is known to be
    there.

    Args:
        make: The model's class.
        folder: Where it was saved.

    Raises:
        ImportError: If safetensors is not installed.
        FileNotFoundError: If the weights are missing.
        ValueError: If anything in a file is wrong.
    """
    weights, copy = Path(folder) / _WEIGHTS, Path(folder) / _CONFIG
    if not weights.is_file():
        raise FileNotFoundError(f"folder must have a {_WEIGHTS}, but {folder} has none.")
    names = signature(make).parameters.keys()
    with _about(weights):
        text, state = _read(weights)
    if copy.exists():
        with _about(copy):
            shown = _parse(copy.read_bytes(), names)
    with _about(weights):
        arguments = _parse(text, names)
    if copy.exists() and (
        # As text: the order of the modalities counts, and 1 is not true.
        others := [name for name in names if json.dumps(shown[name]) != json.dumps(arguments[name])]
    ):
        raise ValueError(f"{copy}: it must be as {_WEIGHTS} has it, but differs in {others}.")
    with _about(weights):
        _check_counts(arguments, len(state))
        with torch.device("meta"):  # draws no random numbers either
            model = make(**arguments)
        expected = model.state_dict()
        if state.keys() != expected.keys():
            raise ValueError(
                f"it must have the weights that its config asks for, but lacks "
                f"{sorted(expected.keys() - state.keys())} and has "
                f"{sorted(state.keys() - expected.keys())} besides."
            )
        for name, value in expected.items():
            check_tensor(name, state[name], value.shape)
        model.load_state_dict(state, assign=True)
    return model.eval()


def _read(path: Path) -> tuple[str, dict[str, Tensor]]:
    """The configuration and the weights that a file has."""
    with import_safetensors().safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        # Clones: these tensors are the file itself, which may change.
        state = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    if "config" not in metadata:
        raise ValueError("it must be of save_pretrained, with a config in its metadata.")
    return metadata["config"], state


def _parse(text: str | bytes, names: Collection[str]) -> dict[str, Any]:
    """The constructor's arguments, all of those names and no others."""
    try:
        config = json.loads(text)
    except ValueError as error:
        raise ValueError(f"the config must be JSON, but: {error}.") from error
    if not isinstance(config, dict) or config.pop("format", None) != _FORMAT:
        raise ValueError(f'the config must have "format": "{_FORMAT}", but has not.')
    version = config.pop("version", None)
    if version != _VERSION:
        raise ValueError(f"the config's version must be {_VERSION}, but got {version!r}.")
    if config.keys() != set(names):
        raise ValueError(
            f"the config must have the arguments of the model, but lacks "
            f"{sorted(set(names) - config.keys())} and has {sorted(config.keys() - set(names))} "
            "besides."
        )
    return config


def _check_counts(arguments: Mapping[str, Any], num_weights: int) -> None:
    """Checks what takes memory before any weight is compared: names, and modules however small."""
    class_names, in_channels = arguments["class_names"], arguments["in_channels"]
    if not isinstance(class_names, list):  # else as many would be made up as num_classes says
        raise ValueError(f"class_names must be a list of names, but got {class_names!r}.")
    if isinstance(in_channels, dict) and len(in_channels) > num_weights:
        raise ValueError(
            f"in_channels must have a weight for each modality, but has {len(in_channels)} of them "
            f"for {num_weights} weights."
        )


@contextmanager
def _about(path: Path) -> Iterator[None]:
    """Turns whatever broken bytes lead to into a ValueError that names the file."""
    try:
        yield
    except ImportError:
        raise
    except Exception as error:
        problem = error if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise ValueError(f"{path}: {problem}") from error
