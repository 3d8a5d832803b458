"""Converts and validates files of conversations, from the command line.

python -m graphfusion.datasets convert IN OUT    from a pickle, an .npz or a table to safetensors
python -m graphfusion.datasets validate FILE     all that is wrong with any of these

What the file does not say itself: --labels, --missing, --frames and --splits, as of `load`; of a
table (Parquet, or CSV), --columns, --features and --classes, as of `Corpus.from_table`.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from graphfusion._utils.options import check_given_once
from graphfusion.datasets._load import detect, load
from graphfusion.datasets._progress import bar
from graphfusion.datasets.checks.problems import Problem
from graphfusion.datasets.format import write
from graphfusion.datasets.readers._options import TableAsked
from graphfusion.datasets.readers._reading import FormatError
from graphfusion.datasets.tables.from_table import Columns
from graphfusion.datasets.validation import examine, refusals

_ROLES = {each.name for each in fields(Columns)}


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
    convert = commands.add_parser(
        "convert", help="write a file's corpus as safetensors", allow_abbrev=False
    )
    convert.add_argument("source", type=Path, metavar="IN", help="a pickle, .npz, Parquet or CSV")
    convert.add_argument("target", type=Path, metavar="OUT", help="the file to write")
    check = commands.add_parser(
        "validate", help="list all that is wrong with a file", allow_abbrev=False
    )
    check.add_argument("source", type=Path, metavar="FILE", help="any of these, or safetensors")
    for command in (convert, check):
        command.add_argument("--labels", choices=("classes", "scores"), help="what the labels are")
        command.add_argument("--missing", choices=("nan",), help="what is absent")
        command.add_argument("--frames", choices=("mean",), help="what to make of frames")
        command.add_argument("--splits", help="a tuple's lists of ids, such as train,dev,test")
        table = command.add_argument_group("of a table, as of Corpus.from_table")
        table.add_argument(
            "--columns",
            nargs="+",
            type=_pair,
            default=[],
            metavar="ROLE=COLUMN",
            help="conversation, turn, speaker, label (A,B: several classes at once), split or "
            "score; with no COLUMN: none",
        )
        table.add_argument(
            "--features",
            nargs="+",
            type=_pair,
            metavar="NAME=COLUMN[,COLUMN...]",
            help="the modalities: a column of vectors, or several of numbers",
        )
        table.add_argument("--classes", help="the classes in order, such as calm,angry")
    words = sys.argv[1:] if arguments is None else list(arguments)
    check_given_once(parser, words)
    options = parser.parse_args(words)
    asked: dict[str, Any] = {
        "labels": options.labels,
        "missing": options.missing,
        "frames": options.frames,
        "splits": options.splits and options.splits.split(","),
        "classes": options.classes and options.classes.split(","),
        "features": options.features and {name: _source(each) for name, each in options.features},
        **{role: _column(role, name) for role, name in options.columns},
    }
    asked = {name: value for name, value in asked.items() if value is not None or name in _ROLES}
    try:
        if options.command == "convert":
            return _convert(options.source, options.target, asked)
        return _validate(options.source, asked)
    except FormatError as error:
        return _report(options.source, error.problems)
    except (OSError, ImportError, TypeError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _pair(text: str) -> tuple[str, str]:
    name, equals, column = text.partition("=")
    return name, column if equals else name


def _column(role: str, name: str) -> str | list[str] | None:
    return (_source(name) if role == "label" else name) or None


def _source(columns: str) -> str | list[str]:
    return columns.split(",") if "," in columns else columns


def _convert(source: Path, target: Path, asked: Mapping[str, Any]) -> int:
    if target.exists() and source.samefile(target):
        raise ValueError(f"OUT must be another file than IN, but is {target}.")
    try:
        corpus = load(source, **asked)
        write(corpus, target, bar)
    except FormatError:
        if detect(source) == "safetensors":  # whose conversations are read one by one
            return _report(source, refusals(source))
        raise
    sys.stdout.write(f"{target}: {corpus}\n")
    return 0


def _validate(path: Path, asked: Mapping[str, Any]) -> int:
    report = examine(path, cast(TableAsked, dict(asked)), bar)
    if report.problems:
        return _report(path, report.problems)
    sys.stdout.write(
        f"{path}: {'; '.join((f'Corpus({report.content}), no problems', *report.notes))}\n"
    )
    return 0


def _report(path: Path, problems: Sequence[Problem]) -> int:
    for problem in problems:
        sys.stdout.write(f"{path}: {problem}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
