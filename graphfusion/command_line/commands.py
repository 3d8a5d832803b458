"""The subcommands by name."""

from collections.abc import Callable

from graphfusion.command_line.choosing_commands import benchmark, search
from graphfusion.command_line.model_commands import compare, evaluate, predict
from graphfusion.command_line.training_commands import cross_validate, train

COMMANDS: dict[str, Callable[..., None]] = {
    "train": train,
    "evaluate": evaluate,
    "predict": predict,
    "cross-validate": cross_validate,
    "search": search,
    "compare": compare,
    "benchmark": benchmark,
}
