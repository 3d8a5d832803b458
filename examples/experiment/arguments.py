"""What the command lines of the examples have in common."""

import argparse
import ast
import json
from collections.abc import Sequence
from typing import Any

SEEDS = 2**32  # as many as NumPy's generators take


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


def seed(word: str) -> int:
    """A seed of all random generators, as a type of `argparse`.

    Raises:
        ValueError: If the word is no integer.
        argparse.ArgumentTypeError: If NumPy's takes no such seed.
    """
    number = int(word)
    if not 0 <= number < SEEDS:
        raise argparse.ArgumentTypeError(f"must be in [0, 2**32), but got {number}.")
    return number


def parse_settings(words: Sequence[str]) -> dict[str, Any]:
    """Settings from words such as `lr=0.001`, values as in JSON or Python, or else strings.

    Raises:
        ValueError: If a word has no `=`.
    """
    settings = {}
    for word in words:
        key, separator, value = word.partition("=")
        if not separator or not key:
            raise ValueError(f"a setting must be NAME=VALUE, but got {word!r}.")
        settings[key] = _value(value)
    return settings


def _value(word: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        try:
            # As a file in JSON gives it back: a tuple is a list.
            return json.loads(json.dumps(read(word)))
        except (ValueError, SyntaxError, TypeError):
            continue
    return word
