"""Argument parsers, made from the signatures and docstrings of functions."""

from argparse import SUPPRESS, Action
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any, Literal

from docstring_parser import parse
from jsonargparse import ArgumentParser, DefaultHelpFormatter

from graphfusion._utils.options import check_given_once

#: Settings of a model and its training by name, from the command line or a YAML file.
Settings = dict[str, int | float | bool | str | list[str] | dict[str, float] | None]
#: A string such as "text,audio+prosody", which jsonargparse does not split, or a list.
Modalities = list[str] | str | None
Model = Literal[
    "mmdfn", "static", "no_graph", "no_speaker", "zero_filled", "no_fusion", "joint_layer", "gcn2",
    "rgcn_transformer", "relational_attention", "hypergraph", "self_attention", "bigru", "logistic",
]  # fmt: skip
Preset = Literal[
    "iemocap", "meld", "mosi",
    "iemocap_speaker_normalized", "iemocap_regularized", "meld_regularized",
]  # fmt: skip


def parse_settings(words: Sequence[str]) -> dict[str, Any]:
    """Parses settings such as `lr=1e-3`; exits with a message if one is invalid or repeated."""
    parser = ArgumentParser(usage="NAME=VALUE ...")
    parser.add_argument("--set", type=Settings, default={})
    for word in words:
        if word.find("=") < 1:
            parser.error(f"a setting must be NAME=VALUE, but got {word!r}.")
    words = [f"--set.{word}" for word in words]
    check_given_once(parser, words)
    settings: dict[str, Any] = parser.parse_args(words).set
    return dict(settings)


class Help(DefaultHelpFormatter):
    """Formatter that shows defaults, but no types, which it would show as Python writes them."""

    def _get_help_string(self, action: Action) -> str:
        flag = action.nargs == 0
        shown = action.option_strings and not flag and action.default not in (None, SUPPRESS)
        return f"{action.help} (default: %(default)s)" if shown else action.help or ""


def make_parser(commands: Mapping[str, Callable[..., Any]]) -> ArgumentParser:
    """Makes a parser with a subcommand for each function.

    A parameter without a default is positional, and a bool is a flag. A list of paths takes all
    positional arguments that follow. Each subcommand has an option `--config` for a YAML file.
    """
    parser = ArgumentParser(
        prog="graphfusion",
        allow_abbrev=False,
        formatter_class=Help,
        description="Trains, evaluates and applies graph-fusion models of conversations. Two more "
        "commands work on feature files: `validate FILE` lists the problems of a file, and "
        "`convert IN OUT` converts it to the library's own format.",
    )
    subcommands = parser.add_subcommands()
    for name, function in commands.items():
        text = parse(function.__doc__ or "")
        about = {each.arg_name: each.description for each in text.params}
        parameters = signature(function).parameters.values()
        several = [each.name for each in parameters if each.annotation == list[Path]]
        flags = [each.name for each in parameters if each.annotation is bool]
        command = ArgumentParser(
            description=text.description, allow_abbrev=False, formatter_class=Help
        )
        command.add_argument(
            "--config", action="config", help="a YAML file with arguments; options go before it"
        )
        for argument in several:
            command.add_argument(argument, nargs="+", type=Path, help=about[argument])
        for argument in flags:
            command.add_argument(f"--{argument}", action="store_true", help=about[argument])
        command.add_function_arguments(function, as_positional=True, skip={*several, *flags})
        subcommands.add_subcommand(name, command, help=text.short_description)
    return parser


def names_of(modalities: Modalities) -> list[str] | None:
    """Splits a comma-separated string of modalities."""
    return modalities.split(",") if isinstance(modalities, str) else modalities
