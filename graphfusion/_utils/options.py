"""Options of a command line that would replace one another."""

from argparse import ArgumentParser
from collections.abc import Sequence


def check_given_once(parser: ArgumentParser, words: Sequence[str]) -> None:
    """Exits with a message where an option would replace an earlier one, which parsers do silently.

    `--a.b=1` is a part of `--a` and must come after it; `--a+=1` appends to `--a`, also repeatedly.
    Several `--config` are allowed.

    Args:
        parser: The parser of these words, without abbreviations.
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
