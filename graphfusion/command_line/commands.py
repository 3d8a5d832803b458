"""The subcommands by name."""

from collections.abc import Callable

from graphfusion.command_line.model_commands import compare, evaluate, predict
from graphfusion.command_line.training_commands import benchmark, cross_validate, search, train

COMMANDS: dict[str, Callable[..., None]] = {
    "train": train,
    "evaluate": evaluate,
    "predict": predict,
    "cross-validate": cross_validate,
    "search": search,
    "compare": compare,
    "benchmark": benchmark,
}
