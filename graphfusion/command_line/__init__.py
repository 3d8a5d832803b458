"""The command `graphfusion`: training, evaluation and prediction on files."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from graphfusion._utils.extras import require
from graphfusion._utils.options import check_given_once, config_first
from graphfusion._utils.warn import plain_warnings
from graphfusion.datasets.__main__ import main as datasets_main

DATASET_COMMANDS = ("validate", "convert")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: The command line; None: `sys.argv`.

    Returns:
        The exit code.

        - 0: success.
        - 1: a data file is invalid.
        - 2: anything else is: an argument, a model, or a file that cannot be read or written.
        - 130: interrupted.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words and words[0] in DATASET_COMMANDS:  # they do not need the extra "train"
        return datasets_main(words, prog="graphfusion")
    try:
        require("train", "run this command")
    except ImportError as error:
        sys.stderr.write(f"graphfusion: {error}\n")
        return 2
    from graphfusion.command_line.commands import COMMANDS
    from graphfusion.command_line.parser import make_parser
    from graphfusion.datasets import FormatError

    parser = make_parser(COMMANDS)
    check_given_once(parser, words)
    chosen = parser.parse_args(config_first(words))
    given = chosen[chosen.subcommand].as_dict()
    del given["config"]  # already merged into the other arguments
    try:
        with _logging(), plain_warnings():
            COMMANDS[chosen.subcommand](**given)
    except FormatError as error:
        # With the file's name, the first problem, and of a table all of them.
        sys.stderr.write(f"graphfusion: {error}\n")
        shown = [line.removeprefix("- ") for line in str(error).splitlines()]
        for problem in error.problems[1:]:
            if str(problem) not in shown:
                sys.stderr.write(f"graphfusion: {problem}\n")
        return 1
    except (OSError, ValueError, TypeError, ImportError) as error:
        sys.stderr.write(f"graphfusion: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(
            "\ngraphfusion: interrupted; the same command continues (`train` with `--resume`).\n"
        )
        return 130
    return 0


@contextmanager
def _logging() -> Iterator[None]:
    """Writes the library's log messages, such as a line for each run, to standard error."""
    logger, handler = logging.getLogger("graphfusion"), logging.StreamHandler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
