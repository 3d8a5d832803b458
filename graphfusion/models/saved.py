"""A model in a folder: `model.safetensors`, its weights, and `config.json`, how it was made.

The weights' file has the configuration, too, in its metadata, and a checksum of both: so the two
are always of one model. `config.json` is a copy for people and other programs to read, and may be
missing. A save that is cut off, wherever that is, leaves the old model or the new one.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from graphfusion._utils.checks import check_tensor
from graphfusion._utils.extras import import_safetensors
from graphfusion._utils.files import open_regular, read_regular, staged

_FORMAT = "graphfusion.model"
_VERSION = 1
_WEIGHTS = "model.safetensors"
_CONFIG = "config.json"
_LARGEST_CONFIG = 2**24  # bytes; a million names fit

ModuleT = TypeVar("ModuleT", bound=torch.nn.Module)


def save(
    folder: str | os.PathLike[str],
    kind: type[torch.nn.Module],
    arguments: Mapping[str, Any],
    state: Mapping[str, Tensor],
) -> None:
    """Writes a model's constructor arguments, as JSON has them, and its state.

    Raises:
        ImportError: If safetensors is not installed.
        OSError: If a file cannot be written; what was there before is there still.
        TypeError: If the constructor has an argument that is neither given nor a part.
    """
    if lost := [name for name in _needed(kind) if name not in arguments]:
        raise TypeError(
            f"config must have every argument of {kind.__name__}, but lacks {lost}; extend the "
            f"property: config = super().config | {{{lost[0]!r}: ...}}."
        )
    folder = Path(folder)
    config = {"format": _FORMAT, "version": _VERSION, **arguments}
    text = _text(config)
    # Clones: on a GPU, the weights of a recurrent encoder are parts of one tensor.
    tensors = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in state.items()
    }
    weights = import_safetensors().save(tensors, _metadata(config, tensors))
    folder.mkdir(parents=True, exist_ok=True)
    with (
        staged(folder / _WEIGHTS, weights) as new_weights,
        staged(folder / _CONFIG, text.encode()) as new_config,
    ):
        (folder / _CONFIG).unlink(missing_ok=True)  # it never lies beside another model's weights
        new_weights.replace(folder / _WEIGHTS)
        new_config.replace(folder / _CONFIG)


def load(
    make: Callable[..., ModuleT], folder: str | os.PathLike[str], parts: Mapping[str, Any]
) -> ModuleT:
    """Reads what :func:`save` wrote, and makes the model, in evaluation mode on the CPU.

    Nothing is unpickled, and no weight that the files declare is allocated before it is known to be
    there.

    Args:
        make: The model's class.
        folder: Where it was saved.
        parts: Arguments that the folder does not hold.

    Raises:
        ImportError: If safetensors is not installed.
        FileNotFoundError: If the weights are missing.
        ValueError: If anything in a file is wrong, or does not fit the parts.
    """
    weights, copy = Path(folder) / _WEIGHTS, Path(folder) / _CONFIG
    if not weights.is_file():
        raise FileNotFoundError(f"folder must have a {_WEIGHTS}, but {folder} has none.")
    with _about(weights):
        text, state = _read(weights)
    if copy.exists():
        with _about(copy):
            shown = _parse(read_regular(copy, _LARGEST_CONFIG))
    with _about(weights):
        arguments = _parse(text)
    if copy.exists() and (others := _differences(shown, arguments)):
        raise ValueError(f"{copy}: it must be as {_WEIGHTS} has it, but differs in {others}.")
    with _about(weights):
        if both := sorted(arguments.keys() & parts.keys()):
            raise ValueError(f"its config has {both} already, which must not be given besides.")
        _check_arguments(make, {**arguments, **parts}, len(state))
        with torch.device("meta"):  # draws no random numbers either
            model = make(**arguments, **parts)
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
    with open_regular(path):  # only asked whether it is one
        pass
    with import_safetensors().safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        # Clones: these tensors are the file itself, which may change.
        state = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    if "config" not in metadata:
        raise ValueError("it must be of save_pretrained, with a config in its metadata.")
    if '"graphfusion.mmdfn"' in metadata["config"]:
        raise ValueError(
            "it was saved by a development version before 0.1.0, whose weights had other names: "
            "save the model again with this release."
        )
    config = _parse_json(metadata["config"])
    checksum, text = config.pop("sha256", None), _text(config)
    if checksum != _checksum(text, state):
        raise ValueError("its checksum is another one: the file has changed since it was saved.")
    return text, state


def _text(config: Mapping[str, Any]) -> str:
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def _metadata(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> dict[str, str]:
    """The configuration with the checksum; one entry, for safetensors keeps no order of several."""
    return {"config": _text({**config, "sha256": _checksum(_text(config), state)})}


def _checksum(text: str, state: Mapping[str, Tensor]) -> str:
    """SHA-256 of the configuration and of every weight's name, dtype, shape and bytes."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(state):
        value = state[name]
        digest.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _parse_json(text: str | bytes) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except ValueError as error:
        raise ValueError(f"the config must be JSON, but: {error}.") from error
    if not isinstance(config, dict):
        raise ValueError(f'the config must have "format": "{_FORMAT}", but has not.')
    return config


def _parse(text: str | bytes) -> dict[str, Any]:
    """The constructor's arguments."""
    config = _parse_json(text)
    if config.pop("format", None) != _FORMAT:
        raise ValueError(f'the config must have "format": "{_FORMAT}", but has not.')
    version = config.pop("version", None)
    if version != _VERSION:
        raise ValueError(f"the config's version must be {_VERSION}, but got {version!r}.")
    return config


def _differences(shown: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[str]:
    """Names of which the values differ, as text: 1 is not true."""

    def text(config: Mapping[str, Any], name: str) -> str:
        return json.dumps(config[name]) if name in config else ""

    names = {**shown, **arguments}
    return [name for name in names if text(shown, name) != text(arguments, name)]


def _needed(make: Callable[..., Any]) -> list[str]:
    """The arguments that a configuration must hold: all that have names, but for modules."""
    variadic = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    parts = ("encoder", "graph", "fusion", "head")
    return [
        name
        for name, each in signature(make).parameters.items()
        if each.kind not in variadic and name not in parts
    ]


def _check_arguments(
    make: Callable[..., Any], arguments: Mapping[str, Any], num_weights: int
) -> None:
    """Checks what the constructor takes, and what takes memory before any weight is compared.

    Arguments that were added after a model was saved take their defaults.
    """
    try:
        signature(make).bind(**arguments)
    except TypeError as error:
        name = getattr(make, "__name__", "the model")
        raise ValueError(
            f"its config must have the arguments of {name}, and its parts must be given, but: "
            f"{error}."
        ) from error
    class_names, in_channels = arguments.get("class_names"), arguments.get("in_channels")
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
