"""A saved model: `model.safetensors` with its weights, and `config.json`.

The weights' file has the configuration, too, in its metadata, and a checksum of both: so the two
are always of one model. `config.json` is a copy for people and other programs to read, and may be
missing. A save that is cut off, wherever that is, leaves the old model or the new one.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from graphfusion._utils.checks import check_tensor
from graphfusion._utils.extras import import_safetensors
from graphfusion._utils.files import read_regular, staged
from graphfusion._utils.safetensors import open_safetensors
from graphfusion.models.saved_checksum import verify, with_checksum
from graphfusion.models.saved_config import (
    check_arguments,
    differences,
    needed,
    parse,
    to_text,
    with_format,
)

_WEIGHTS = "model.safetensors"
_CONFIG = "config.json"
_LARGEST_CONFIG = 2**24  # bytes; a million names fit

ModuleT = TypeVar("ModuleT", bound=torch.nn.Module)


def save(
    folder: str | os.PathLike[str],
    kind: type[torch.nn.Module],
    arguments: Mapping[str, Any],
    extractors: Mapping[str, Mapping[str, Any]],
    state: Mapping[str, Tensor],
) -> None:
    """Saves a model's constructor arguments and extractors, as JSON has them, and its state dict.

    Raises:
        ImportError: If safetensors is not installed.
        OSError: If a file cannot be written; what was there before is there still.
        TypeError: If the constructor has an argument that is neither given nor a part.
    """
    if lost := [name for name in needed(kind) if name not in arguments]:
        raise TypeError(
            f"config must have every argument of {kind.__name__}, but lacks {lost}; extend the "
            f"property: config = super().config | {{{lost[0]!r}: ...}}."
        )
    folder = Path(folder)
    config = with_format(arguments, extractors)
    # Clones: on a GPU, the weights of a recurrent encoder are parts of one tensor.
    tensors = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in state.items()
    }
    weights = import_safetensors().save(tensors, with_checksum(config, tensors))
    folder.mkdir(parents=True, exist_ok=True)
    with (
        staged(folder / _WEIGHTS, weights) as new_weights,
        staged(folder / _CONFIG, to_text(config).encode()) as new_config,
    ):
        (folder / _CONFIG).unlink(missing_ok=True)  # it never lies beside another model's weights
        new_weights.replace(folder / _WEIGHTS)
        new_config.replace(folder / _CONFIG)


def load(
    make: Callable[..., ModuleT], folder: str | os.PathLike[str], parts: Mapping[str, Any]
) -> ModuleT:
    """Loads a model that :func:`save` wrote, in evaluation mode on the CPU.

    Nothing is unpickled, and no weight that the files declare is allocated before it is known to be
    there.

    Args:
        make: The model's class.
        folder: Where it was saved.
        parts: Arguments that the folder does not hold.

    Raises:
        ImportError: If safetensors is not installed.
        FileNotFoundError: If the weights are missing. The message suggests a folder within this one
            that has some, such as that of a run.
        ValueError: If anything in a file is wrong, or does not fit the parts.
    """
    weights, copy = Path(folder) / _WEIGHTS, Path(folder) / _CONFIG
    if not weights.is_file():
        found = [
            each for depth in ("*", "*/*") for each in Path(folder).glob(f"{depth}/{_WEIGHTS}")
        ]
        hint = f"; did you mean {min(found).parent}?" if found else "."
        raise FileNotFoundError(f"folder must have a {_WEIGHTS}, but {folder} has none{hint}")
    with _about(weights):
        text, state = _read(weights)
    if copy.exists():
        with _about(copy):
            shown = parse(read_regular(copy, _LARGEST_CONFIG))
    with _about(weights):
        arguments = parse(text)
    if copy.exists() and (others := differences(shown, arguments)):
        raise ValueError(f"{copy}: it must be as {_WEIGHTS} has it, but differs in {others}.")
    with _about(weights):
        extractors = arguments.pop("extractors", {})
        if both := sorted(arguments.keys() & parts.keys()):
            raise ValueError(f"parts must not have {both}, which its config has already.")
        check_arguments(make, {**arguments, **parts}, len(state))
        with torch.device("meta"):  # draws no random numbers either
            model = make(**arguments, **parts)
        expected = model.state_dict()
        if state.keys() != expected.keys():
            raise ValueError(
                f"it must have exactly the weights of its config, but lacks "
                f"{sorted(expected.keys() - state.keys())} and also has "
                f"{sorted(state.keys() - expected.keys())}."
            )
        for name, value in expected.items():
            check_tensor(name, state[name], value.shape)
        shared = _shared_names(model)
        model.load_state_dict(state, assign=True)
        for first, *others in shared:  # each has a parameter of its own now
            for module, _, name in (each.rpartition(".") for each in others):
                setattr(model.get_submodule(module), name, model.get_parameter(first))
        tensors = (*model.named_parameters(), *model.named_buffers())
        if lost := [name for name, tensor in tensors if tensor.is_meta]:
            raise ValueError(f"every buffer must be saved, but {lost} are not persistent.")
        model.extractors = extractors
    return model.eval()


def _shared_names(model: torch.nn.Module) -> list[list[str]]:
    """Returns the names of each parameter that has several, such as tied weights."""
    names: dict[torch.nn.Parameter, list[str]] = defaultdict(list)
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names[parameter].append(name)
    return [each for each in names.values() if len(each) > 1]


def read_state(folder: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The state dict of a saved model, checked against its checksum.

    Raises:
        ImportError: If safetensors is not installed.
        ValueError: If the file is damaged.
    """
    weights = Path(folder) / _WEIGHTS
    with _about(weights):
        return _read(weights)[1]


def _read(path: Path) -> tuple[str, dict[str, Tensor]]:
    """The configuration and the weights that a file has."""
    with open_safetensors(path) as file:
        metadata = file.metadata() or {}
        # Clones: these tensors are the file itself, which may change.
        state = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    return verify(metadata, state), state


@contextmanager
def _about(path: Path) -> Iterator[None]:
    """Raises any error about the content of a file as a ValueError with its name."""
    try:
        yield
    except ImportError:
        raise
    except Exception as error:
        problem = error if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise ValueError(f"{path}: {problem}") from error
