"""Converts and validates files of conversations, from the command line.

python -m graphfusion.datasets convert IN OUT    from a pickle or an .npz to safetensors
python -m graphfusion.datasets validate FILE     all that is wrong with any of these
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from graphfusion.datasets._load import load
from graphfusion.datasets._problems import Problem
from graphfusion.datasets._reading import FormatError
from graphfusion.datasets.format import save
from graphfusion.datasets.validation import validate


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: The command line; None: the process's own.

    Returns:
        0 if all is well, 1 if something is wrong with a file, 2 if there is no reading or writing.
    """
    parser = argparse.ArgumentParser(prog="python -m graphfusion.datasets", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    convert = commands.add_parser("convert", help="write a file's corpus as safetensors")
    convert.add_argument("source", type=Path, metavar="IN", help="a pickle or an .npz")
    convert.add_argument("target", type=Path, metavar="OUT", help="the file to write")
    check = commands.add_parser("validate", help="list all that is wrong with a file")
    check.add_argument("source", type=Path, metavar="FILE", help="safetensors, .npz or pickle")
    options = parser.parse_args(arguments)
    try:
        if options.command == "convert":
            return _convert(options.source, options.target)
        return _validate(options.source)
    except (OSError, ImportError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _convert(source: Path, target: Path) -> int:
    try:
        corpus = load(source)
    except FormatError as error:
        return _report(source, error.problems)
    save(corpus, target)
    sys.stdout.write(f"{target}: {corpus}\n")
    return 0


def _validate(path: Path) -> int:
    problems = validate(path)
    if problems:
        return _report(path, problems)
    corpus = load(path)
    talks = [talk for each in corpus.splits.values() for talk in each]
    silent = sum(int((~torch.stack(list(talk.present.values())).any(0)).sum()) for talk in talks)
    note = f"; utterances without any modality: {silent}" if silent else ""
    sys.stdout.write(f"{path}: {corpus}, no problems{note}\n")
    return 0


def _report(path: Path, problems: Sequence[Problem]) -> int:
    for problem in problems:
        sys.stdout.write(f"{path}: {problem}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
