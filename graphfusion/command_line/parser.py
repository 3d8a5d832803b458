"""The parser of the commands, made of their signatures and docstrings."""

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from docstring_parser import parse
from jsonargparse import ArgumentParser

from graphfusion._utils.options import check_given_once

#: Settings of a model and its training by name, as a file in YAML or the command line have them.
Settings = dict[str, int | float | bool | str | list[str] | dict[str, float] | None]


def parse_settings(words: Sequence[str]) -> dict[str, Any]:
    """Settings from words such as `lr=1e-3`; exits with a message if one is wrong or repeated."""
    parser = ArgumentParser(usage="NAME=VALUE ...")
    parser.add_argument("--set", type=Settings, default={})
    for word in words:
        if word.find("=") < 1:
            parser.error(f"a setting must be NAME=VALUE, but got {word!r}.")
    words = [f"--set.{word}" for word in words]
    check_given_once(parser, words)
    settings: dict[str, Any] = parser.parse_args(words).set
    return dict(settings)


def make_parser(commands: Mapping[str, Callable[..., Any]]) -> ArgumentParser:
    """A parser with a subcommand for each function; arguments may be in a file, too (`--config`).

    A parameter without a default is positional; one of several paths takes all that follow. A bool
    is a flag.
    """
    parser = ArgumentParser(
        prog="graphfusion",
        allow_abbrev=False,
        description="Trains, evaluates and applies graph-fusion models of conversations. Besides "
        "the commands below: `validate FILE` lists all that is wrong with a file, and `convert IN "
        "OUT` writes it in the library's own format.",
    )
    subcommands = parser.add_subcommands()
    for name, function in commands.items():
        text = parse(function.__doc__ or "")
        about = {each.arg_name: each.description for each in text.params}
        parameters = signature(function).parameters.values()
        several = [each.name for each in parameters if each.annotation == list[Path]]
        flags = [each.name for each in parameters if each.annotation is bool]
        command = ArgumentParser(description=text.description, allow_abbrev=False)
        command.add_argument("--config", action="config", help="a YAML file of the arguments")
        for argument in several:
            command.add_argument(argument, nargs="+", type=Path, help=about[argument])
        for argument in flags:
            command.add_argument(f"--{argument}", action="store_true", help=about[argument])
        command.add_function_arguments(function, as_positional=True, skip={*several, *flags})
        # Not remembered: it is the arguments that it has.
        subcommands.add_subcommand(name, command, help=text.short_description)
    return parser
