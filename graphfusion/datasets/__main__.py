"""Converts and validates files of conversations, from the command line.

python -m graphfusion.datasets convert IN OUT    from a pickle or an .npz to safetensors
python -m graphfusion.datasets validate FILE     all that is wrong with any of these

What the file does not say itself: --labels, --missing, --frames and --splits, as of `load`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from graphfusion.data.conversation import MISSING
from graphfusion.datasets._load import load
from graphfusion.datasets._options import Asked
from graphfusion.datasets._problems import Problem
from graphfusion.datasets._reading import FormatError
from graphfusion.datasets.format import save
from graphfusion.datasets.validation import validate


def main(
    arguments: Sequence[str] | None = None, prog: str = "python -m graphfusion.datasets"
) -> int:
    """Runs a command.

    Args:
        arguments: The command line; None: the process's own.
        prog: What the program is called in messages.

    Returns:
        0 if all is well, 1 if something is wrong with a file, 2 if there is no reading or writing.
    """
    parser = argparse.ArgumentParser(prog=prog, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    convert = commands.add_parser("convert", help="write a file's corpus as safetensors")
    convert.add_argument("source", type=Path, metavar="IN", help="a pickle or an .npz")
    convert.add_argument("target", type=Path, metavar="OUT", help="the file to write")
    check = commands.add_parser("validate", help="list all that is wrong with a file")
    check.add_argument("source", type=Path, metavar="FILE", help="safetensors, .npz or pickle")
    for command in (convert, check):
        command.add_argument("--labels", choices=("classes", "scores"), help="what the labels are")
        command.add_argument("--missing", choices=("nan",), help="what is absent")
        command.add_argument("--frames", choices=("mean",), help="what to make of frames")
        command.add_argument("--splits", help="a tuple's lists of ids, such as train,dev,test")
    options = parser.parse_args(arguments)
    asked: Asked = {
        "labels": options.labels,
        "missing": options.missing,
        "frames": options.frames,
        "splits": options.splits and options.splits.split(","),
    }
    try:
        if options.command == "convert":
            return _convert(options.source, options.target, asked)
        return _validate(options.source, asked)
    except FormatError as error:
        return _report(options.source, error.problems)
    except (OSError, ImportError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _convert(source: Path, target: Path, asked: Asked) -> int:
    if target.exists() and source.samefile(target):
        raise ValueError(f"OUT must be another file than IN, but is {target}.")
    corpus = load(source, **asked)
    save(corpus, target)
    sys.stdout.write(f"{target}: {corpus}\n")
    return 0


def _validate(path: Path, asked: Asked) -> int:
    problems = validate(path, **asked)
    if problems:
        return _report(path, problems)
    corpus = load(path, **asked)
    whole = [conversation for each in corpus.splits.values() for conversation in each]
    bare = sum(int((~torch.stack(list(each.present.values())).any(0)).sum()) for each in whole)
    note = f"; utterances without any modality: {bare}" if bare else ""
    unlabelled = sum(int((each.y.isnan() | (each.y == MISSING)).sum()) for each in whole)
    note += f"; utterances without a label: {unlabelled}" if unlabelled else ""
    sys.stdout.write(f"{path}: {corpus}, no problems{note}\n")
    return 0


def _report(path: Path, problems: Sequence[Problem]) -> int:
    for problem in problems:
        sys.stdout.write(f"{path}: {problem}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
