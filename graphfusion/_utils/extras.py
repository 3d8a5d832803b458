"""Optional dependencies, with errors that name the extra to install."""

from importlib.util import find_spec
from types import ModuleType

_DATA = ("safetensors", "tqdm")
_RECORDINGS = (*_DATA, "pandas", "soundfile", "av", "jinja2")

# The modules that each extra of pyproject.toml installs.
MODULES = {
    "data": _DATA,
    "train": (
        *_DATA,
        "pyarrow",
        "pytorch_lightning",
        "torchmetrics",
        "pandas",
        "matplotlib",
        "tensorboard",
        "optuna",
        "filelock",
        "jinja2",
        "jsonargparse",
    ),
    "tables": (*_DATA, "pandas", "pyarrow"),
    "hub": (*_DATA, "huggingface_hub"),
    "testing": ("hypothesis",),
    "recordings": _RECORDINGS,
    "opensmile": (*_RECORDINGS, "opensmile"),
    "text": (*_RECORDINGS, "sentence_transformers", "transformers"),
    "speech": (*_RECORDINGS, "transformers"),
    "faces": (*_RECORDINGS, "cv2"),
    "landmarks": (*_RECORDINGS, "mediapipe"),
    "onnx": ("onnx", "onnxscript"),
}


def require(extra: str, purpose: str) -> None:
    """Checks that the modules of an extra are installed, without importing them.

    Args:
        extra: The name of the extra.
        purpose: An infinitive for the message, such as "train models".

    Raises:
        ImportError: If a module is not installed. The message names the command to install it.
    """
    for module in MODULES[extra]:
        if find_spec(module) is None:
            message = (
                f"{module} must be installed to {purpose}; graphfusion's extra {extra!r} brings it"
            )
            raise ImportError(f'{message}: pip install "graphfusion[{extra}]"', name=module)


def import_safetensors() -> ModuleType:
    """Imports and returns the module `safetensors.torch`.

    Raises:
        ImportError: If it is not installed. The message names the command to install it.
    """
    require("data", "save and load")
    import safetensors.torch

    return safetensors.torch
