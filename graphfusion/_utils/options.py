"""Options on a command line that would replace others."""

from argparse import ArgumentParser
from collections.abc import Sequence


def check_given_once(parser: ArgumentParser, words: Sequence[str]) -> None:
    """Exits with a message if an option would replace an earlier one.

    Parsers replace the earlier value silently. `--a.b=1` sets a part of `--a` and must come after
    it. `--a+=1` appends to `--a`, and may be repeated.

    Args:
        parser: The parser of the command line, which must not allow abbreviations.
        words: The command line.
    """
    given: list[str] = []
    for word in words:
        if word == "--":  # positional arguments follow
            break
        name = word.partition("=")[0]
        if not name.startswith("--"):
            continue
        lost = [each for each in given if each == name or each.startswith((f"{name}.", f"{name}+"))]
        if lost and not name.endswith("+"):
            parser.error(
                f"{name} must be given once, but an earlier {lost[0]} would be ignored; several "
                "values go in one list."
            )
        given.append(name)


def config_first(words: Sequence[str]) -> list[str]:
    """Moves `--config` and its value behind the subcommand, the first word.

    A parser takes arguments in their order, so that a file would replace the options before it.
    """
    for place, word in enumerate(words):
        if word == "--":
            break
        if word == "--config" or word.startswith("--config="):
            end = place + (2 if word == "--config" else 1)
            if end > len(words):
                break  # it lacks its value
            return [*words[:1], *words[place:end], *words[1:place], *words[end:]]
    return list(words)
