"""Command line to convert and validate feature files.

python -m graphfusion.datasets convert IN OUT    convert a pickle, .npz or table to safetensors
python -m graphfusion.datasets validate FILE     list all problems of a file in any format

Settings that the file does not store: --labels, --missing, --frames and --splits, as in `load`; for
a table (Parquet or CSV), --columns, --features and --classes, as in `Corpus.from_table`.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from graphfusion._utils.files import check_output
from graphfusion._utils.options import check_given_once
from graphfusion._utils.warn import plain_warnings
from graphfusion.datasets._load import detect, load
from graphfusion.datasets._progress import bar
from graphfusion.datasets.checks.problems import Problem
from graphfusion.datasets.format import write
from graphfusion.datasets.readers._options import LoadKwargs
from graphfusion.datasets.readers._reading import FormatError
from graphfusion.datasets.tables.from_table import Columns
from graphfusion.datasets.validation import examine, load_problems

_ROLES = {each.name for each in fields(Columns)}


def main(
    arguments: Sequence[str] | None = None, prog: str = "python -m graphfusion.datasets"
) -> int:
    """Runs the command-line program.

    Args:
        arguments: The command-line arguments; None: those of the process.
        prog: The name of the program in messages.

    Returns:
        The exit code: 0 for success, 1 for a file with problems, 2 if reading or writing failed or
        an argument is invalid.
    """
    parser = argparse.ArgumentParser(prog=prog, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    convert = commands.add_parser(
        "convert", help="write a file's corpus as safetensors", allow_abbrev=False
    )
    convert.add_argument("source", type=Path, metavar="IN", help="a pickle, .npz, Parquet or CSV")
    convert.add_argument("target", type=Path, metavar="OUT", help="the file to write")
    check = commands.add_parser("validate", help="list all problems of a file", allow_abbrev=False)
    check.add_argument("source", type=Path, metavar="FILE", help="any of these, or safetensors")
    for command in (convert, check):
        command.add_argument(
            "--labels", choices=("classes", "scores"), help="the kind of the labels"
        )
        command.add_argument("--missing", choices=("nan",), help="the marker of absent vectors")
        command.add_argument("--frames", choices=("mean",), help="how to pool frames")
        command.add_argument("--splits", help="names of a tuple's lists, such as train,dev,test")
        table = command.add_argument_group("options of a table, as in Corpus.from_table")
        table.add_argument(
            "--columns",
            nargs="+",
            type=_role,
            default=[],
            metavar="ROLE=COLUMN",
            help="conversation, turn, speaker, label (A,B: multilabel), split or score; with no "
            "COLUMN: none",
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
    _check_named_once(parser, "--columns", "ROLE", options.columns)
    _check_named_once(parser, "--features", "NAME", options.features or [])
    settings: dict[str, Any] = {
        "labels": options.labels,
        "missing": options.missing,
        "frames": options.frames,
        "splits": options.splits and options.splits.split(","),
        "classes": options.classes and options.classes.split(","),
        "features": options.features and {name: _source(each) for name, each in options.features},
        **{role: _column(role, name) for role, name in options.columns},
    }
    settings = {
        name: value for name, value in settings.items() if value is not None or name in _ROLES
    }
    try:
        with plain_warnings():
            if options.command == "convert":
                return _convert(options.source, options.target, settings)
            return _validate(options.source, settings)
    except FormatError as error:
        return _report(options.source, error.problems)
    except (OSError, ImportError, TypeError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _check_named_once(
    parser: argparse.ArgumentParser, option: str, what: str, pairs: Sequence[tuple[str, str]]
) -> None:
    """Exits with a message if a name comes twice in an option, whose last would be kept."""
    names = [name for name, _ in pairs]
    if twice := [name for name in names if names.count(name) > 1]:
        parser.error(
            f"{option} must have each {what} once, but got {twice[0]!r} twice; several columns are "
            f"{twice[0]}=A,B."
        )


def _pair(text: str) -> tuple[str, str]:
    name, equals, column = text.partition("=")
    return name, column if equals else name


def _role(text: str) -> tuple[str, str]:
    role, column = _pair(text)
    if role not in _ROLES:
        raise argparse.ArgumentTypeError(f"ROLE must be one of {sorted(_ROLES)}, but got {role!r}.")
    return role, column


def _column(role: str, name: str) -> str | list[str] | None:
    return (_source(name) if role == "label" else name) or None


def _source(columns: str) -> str | list[str]:
    return columns.split(",") if "," in columns else columns


def _convert(source: Path, target: Path, settings: Mapping[str, Any]) -> int:
    check_output("OUT", target, (".safetensors",), source)
    try:
        corpus = load(source, **settings)
        write(corpus, target, bar)
    except FormatError:
        # Its conversations are read one by one, so the error has the first problem only.
        if detect(source) == "safetensors":
            return _report(source, load_problems(source))
        raise
    lost = ", without the values of the turns, whose order is kept" if corpus.turns else ""
    sys.stdout.write(f"{target}: {corpus}{lost}\n")
    return 0


def _validate(path: Path, settings: Mapping[str, Any]) -> int:
    report = examine(path, cast(LoadKwargs, dict(settings)), bar)
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
