"""The configuration of a saved model: its constructor's arguments and its extractors, as JSON."""

import json
from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

from graphfusion._utils.counted import counted

_FORMAT = "graphfusion.model"
_VERSION = 1


def with_format(
    arguments: Mapping[str, Any], extractors: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Adds the format, its version, and the extractors if there are any, to the arguments."""
    known = {"extractors": extractors} if extractors else {}
    return {"format": _FORMAT, "version": _VERSION, **arguments, **known}


def to_text(config: Mapping[str, Any]) -> str:
    """Writes a configuration as JSON."""
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def parse_json(text: str | bytes) -> dict[str, Any]:
    """Reads a configuration from JSON, with its format and version.

    Raises:
        ValueError: If it is no JSON object.
    """
    try:
        config = json.loads(text)
    except ValueError as error:
        raise ValueError(f"the config must be JSON, but: {error}.") from error
    if not isinstance(config, dict):
        raise ValueError(f'the config must have "format": "{_FORMAT}", but has not.')
    return config


def parse(text: str | bytes) -> dict[str, Any]:
    """Reads the constructor's arguments, and the extractors if there are any, from JSON.

    Raises:
        ValueError: If it is no configuration, or of another version.
    """
    config = parse_json(text)
    if config.pop("format", None) != _FORMAT:
        raise ValueError(f'the config must have "format": "{_FORMAT}", but has not.')
    version = config.pop("version", None)
    if version != _VERSION:
        raise ValueError(f"the config's version must be {_VERSION}, but got {version!r}.")
    return config


def differences(shown: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[str]:
    """Names whose values differ as JSON, where 1 is not true."""

    def text(config: Mapping[str, Any], name: str) -> str:
        return json.dumps(config[name]) if name in config else ""

    names = {**shown, **arguments}
    return [name for name in names if text(shown, name) != text(arguments, name)]


def needed(make: Callable[..., Any]) -> list[str]:
    """Names of the constructor's arguments that a configuration must have."""
    variadic = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    parts = ("encoder", "graph", "fusion", "head")
    return [
        name
        for name, each in signature(make).parameters.items()
        if each.kind not in variadic and name not in parts
    ]


def check_arguments(
    make: Callable[..., Any], arguments: Mapping[str, Any], num_weights: int
) -> None:
    """Checks arguments before the model is built, also that they take no excessive memory.

    Arguments that were added after a model was saved take their defaults.

    Raises:
        ValueError: If an argument is missing, unknown, or names more modalities than there are
            weights.
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
            f"for {counted(num_weights, 'weight')}."
        )
