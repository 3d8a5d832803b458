"""The command `graphfusion`: training, evaluation and prediction of files from a shell."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from graphfusion._utils.extras import require
from graphfusion._utils.options import check_given_once
from graphfusion.datasets.__main__ import main as datasets_main

OF_FILES = ("validate", "convert")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: The command line; None: the process's own.

    Returns:
        0 if all is well; 1 if something is wrong with the content of a file; 2 with an argument,
        or if there is no reading or writing; 130 if it was interrupted.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words and words[0] in OF_FILES:  # which train nothing, and need no trainer
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
    chosen = parser.parse_args(words)
    given = chosen[chosen.subcommand].as_dict()
    del given["config"]  # its arguments are among the others
    try:
        with _logging():
            COMMANDS[chosen.subcommand](**given)
    except FormatError as error:
        sys.stderr.write(f"graphfusion: {error}\n")  # which names the file
        for problem in error.problems[1:]:
            sys.stderr.write(f"graphfusion: {problem}\n")
        return 1
    except (OSError, ValueError, TypeError, ImportError) as error:
        sys.stderr.write(f"graphfusion: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(
            "\ngraphfusion: interrupted; `train --resume` goes on from the last epoch.\n"
        )
        return 130
    return 0


@contextmanager
def _logging() -> Iterator[None]:
    """Shows what the library logs, such as a line for each run, on the standard error."""
    logger, handler = logging.getLogger("graphfusion"), logging.StreamHandler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
