"""Packages that the core does without: imported where they are needed, and missed clearly."""

from types import ModuleType


def import_safetensors() -> ModuleType:
    """The module `safetensors.torch`.

    Raises:
        ImportError: If it is not installed; it says how to.
    """
    try:
        import safetensors.torch
    except ImportError as error:
        raise ImportError(
            "safetensors must be installed to save and load; graphfusion's extra 'data' brings it."
        ) from error
    return safetensors.torch
