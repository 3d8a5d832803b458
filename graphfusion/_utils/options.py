"""Detection of repeated options on a command line."""

from argparse import ArgumentParser
from collections.abc import Sequence


def check_given_once(parser: ArgumentParser, words: Sequence[str]) -> None:
    """Exits with a message if an option would replace an earlier one.

    Parsers replace the earlier value silently. `--a.b=1` sets a part of `--a` and must come after
    it. `--a+=1` appends to `--a`, and may be repeated, as may `--config`.

    Args:
        parser: The parser of the command line, which must not allow abbreviations.
        words: The command line.
    """
    given: list[str] = []
    for word in words:
        if word == "--":  # positional arguments follow
            break
        name = word.partition("=")[0]
        if not name.startswith("--") or name == "--config":
            continue
        lost = [each for each in given if each == name or each.startswith((f"{name}.", f"{name}+"))]
        if lost and not name.endswith("+"):
            parser.error(
                f"{name} must be given once, but an earlier {lost[0]} would be ignored; several "
                "values go in one list."
            )
        given.append(name)
