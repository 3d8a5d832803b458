"""What the command lines of the examples have in common."""

import argparse
import json
from collections.abc import Sequence
from typing import Any


def count(word: str) -> int:
    """A number of things from 1 on, as a type of `argparse`.

    Raises:
        ValueError: If the word is no integer.
        argparse.ArgumentTypeError: If it is less than 1.
    """
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, but got {number}.")
    return number


def parse_settings(words: Sequence[str]) -> dict[str, Any]:
    """Settings from words such as `lr=0.001`, their values as JSON or else as strings.

    Raises:
        ValueError: If a word has no `=`.
    """
    settings = {}
    for word in words:
        key, separator, value = word.partition("=")
        if not separator or not key:
            raise ValueError(f"a setting must be NAME=VALUE, but got {word!r}.")
        try:
            settings[key] = json.loads(value)
        except json.JSONDecodeError:
            settings[key] = value
    return settings
