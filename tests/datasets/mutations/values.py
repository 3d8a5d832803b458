"""Broken pickles of the field's other shapes: what stands where, and the instructions for it."""

import pickle
import random

import numpy as np

from tests.datasets.mutations.damage import SIZES, damage, sample
from tests.datasets.mutations.programs import broken_program
from tests.datasets.samples import pickle_fields

VALUES = (
    None, True, False, 0, 1, -1, -100, 1.5, float("nan"), float("inf"), 10**400, 1e308, "", "x",
    "train", b"x", "a" * 2000, (), [], {}, set(), [[]], [None], [0.5], {"": 0}, {0: [0]}, *SIZES,
    np.zeros(3), np.zeros((3, 3)), np.zeros((3, 2, 3)), np.zeros((0, 3)), np.zeros(3, "i1"),
    np.full(3, np.nan), np.array("x"), np.array(["x"] * 3), np.array([None]), np.float32(1),
)  # fmt: skip


def _field() -> list[object]:
    found: list[object] = []
    for number in range(3):
        ids, who, y, text, audio, visual, said, train, test = pickle_fields(
            sample(number), (list, np.array, list)[number]
        )
        four = [text, text, audio, visual]
        found += [
            (ids, who, y, text, audio, said, train, test, y),
            [who, text, y, y, set(train), set(test), set()],
            [who, y, *four, said, train, test, []],
            [who, y, y, *four, said, np.array(train), np.array(test), []],
            (ids, who, y, *four, audio, visual, said, train, test),
            (ids, who, y, y, *four, audio, visual, said, train, test, {}),
        ]
    return found


def _mmsa() -> list[object]:
    found: list[object] = []
    for number, shape in enumerate(((4,), (4, 3), (4, 3))):
        rng = np.random.default_rng(number)
        part = {
            "id": ["a$_$2", "b$_$1", "a$_$10", "a$_$1"],
            "raw_text": np.array(["x"] * 4),
            "text": rng.normal(size=(4, 5)).astype("f4"),
            "audio": rng.normal(size=(*shape, 3)).astype("f4"),
            "vision": list(rng.normal(size=(*shape, 2))),
            "regression_labels": rng.normal(size=4),
        }
        other = part | {"id": [f"v{name}" for name in part["id"]]}
        found.append({"train": part, "valid": other} if number else {"train": part})
    return found


FIELD, MMSA = _field(), _mmsa()


def changed(rng: random.Random, value: object) -> object:
    """The same with one thing replaced, lost, doubled or moved, wherever it is."""
    deeper = rng.random() < 0.8
    if isinstance(value, dict) and value and deeper:
        key = rng.choice(list(value))
        rest = {name: each for name, each in value.items() if name != key}
        action = rng.random()
        if action < 0.1:
            return rest
        if action < 0.2:
            return rest | {rng.choice((7, "x", "test", "id", "text")): value[key]}
        return value | {key: changed(rng, value[key])}
    if isinstance(value, list | tuple) and value and deeper:
        place, items = rng.randrange(len(value)), list(value)
        action = rng.random()
        if action < 0.1:
            del items[place]
        elif action < 0.2:
            items.insert(place, items[place])
        elif action < 0.3:
            items[0], items[place] = items[place], items[0]
        else:
            items[place] = changed(rng, items[place])
        return type(value)(items)
    if isinstance(value, np.ndarray) and value.size and value.ndim and deeper:
        other = value.copy()
        action = rng.random()
        if action < 0.5 and other.dtype.kind == "f":
            other.flat[rng.randrange(other.size)] = rng.choice((np.nan, np.inf, -1, 1e30, 0))
            return other
        return rng.choice((other[:-1], other[None], other.T, other.astype("S9"), other.tolist()))
    return rng.choice(VALUES)


def _broken(rng: random.Random, values: list[object]) -> bytes:
    value, protocol = rng.choice(values), rng.randrange(pickle.HIGHEST_PROTOCOL + 1)
    kind = rng.choice(("values", "values", "values", "bytes", "program"))
    if kind == "values":
        for _ in range(rng.choice((1, 1, 2, 4))):
            value = changed(rng, value)
        return pickle.dumps(value, protocol)
    data = pickle.dumps(value, protocol)
    return damage(rng, data) if kind == "bytes" else broken_program(rng, data)


def field(rng: random.Random) -> bytes:
    """A tuple or list of another shape than the nine elements."""
    return _broken(rng, FIELD)


def mmsa(rng: random.Random) -> bytes:
    """MMSA's dict of splits."""
    return _broken(rng, MMSA)
