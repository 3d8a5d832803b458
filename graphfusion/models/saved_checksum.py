"""Checksum of the configuration and the weights of a saved model."""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from graphfusion.models.saved_config import parse_json, to_text

_KEY = "sha256"  # beside the configuration's arguments


def with_checksum(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> dict[str, str]:
    """Builds the metadata of a file: the configuration and the checksum.

    One entry, for safetensors keeps no order of several.
    """
    return {"config": to_text({**config, _KEY: _checksum(to_text(config), state)})}


def verify(metadata: Mapping[str, str], state: Mapping[str, Tensor]) -> str:
    """Verifies the checksum in a file's metadata, and returns the configuration.

    Raises:
        ValueError: If there is no configuration, or the file has changed since it was saved.
    """
    if "config" not in metadata:
        raise ValueError("it must be of save_pretrained, with a config in its metadata.")
    config = parse_json(metadata["config"])
    if config.get("format") == "graphfusion.mmdfn":
        raise ValueError(
            "it was saved by a development version before 0.1.0, whose weights had other names: "
            "save the model again with this release."
        )
    checksum, text = config.pop(_KEY, None), to_text(config)
    if checksum != _checksum(text, state):
        raise ValueError("its checksum is another one: the file has changed since it was saved.")
    return text


def _checksum(text: str, state: Mapping[str, Tensor]) -> str:
    """SHA-256 of the configuration and of every weight's name, dtype, shape and bytes."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(state):
        value = state[name]
        digest.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
