"""How long corpora of any size take to save, open, read and validate, and how much memory.

    python -m benchmarks.corpora FOLDER --conversations 20000

Conversations of 30 utterances with 750 numbers each, 90 KB, made when they are asked for. Every
step is a process of its own; its peak is that beyond what the imports take. The file stays in the
page cache, where there is room for it.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import overload

import torch
from torch_geometric.loader import DataLoader

from graphfusion import Conversation, Standardize
from graphfusion.datasets import Corpus, load, save, validate

UTTERANCES = 30
SIZES = {"text": 300, "audio": 300, "visual": 150}
CLASSES = ("calm", "angry")
BATCH = 32


class Made(Sequence[Conversation]):
    """Conversations that are made when they are asked for.

    Args:
        name: Of the split.
        size: How many.
    """

    def __init__(self, name: str, size: int) -> None:
        self._name, self._size = name, size

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> Conversation: ...

    @overload
    def __getitem__(self, place: slice) -> list[Conversation]: ...

    def __getitem__(self, place: int | slice) -> Conversation | list[Conversation]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(self._size))]
        if place >= self._size:
            raise IndexError(place)
        generator = torch.Generator().manual_seed(place)
        features = {
            name: torch.randn(UTTERANCES, d, generator=generator) for name, d in SIZES.items()
        }
        labels = torch.arange(UTTERANCES) % 2
        return Conversation(features, labels, labels, id=f"{self._name} {place}")


def peak() -> int:
    """The most memory that the process has had at once, in bytes, or has had since `forget`."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def forget() -> None:
    """Lets the peak begin with what the process has now."""
    Path("/proc/self/clear_refs").write_text("5")


def made(conversations: int) -> Corpus:
    """A corpus of so many, a tenth of them to test on."""
    test = conversations // 10
    return Corpus(CLASSES, {"train": Made("a", conversations - test), "test": Made("b", test)})


def rate(conversations: Sequence[Conversation]) -> float:
    """How many conversations come in shuffled batches in a second of the processor."""
    start = time.process_time()
    for _ in DataLoader(conversations, batch_size=BATCH, shuffle=True):
        pass
    return round(len(conversations) / (time.process_time() - start))


def epochs(path: Path) -> dict[str, float]:
    """Shuffled batches from the file, and the same from memory."""
    opened = load(path).splits["train"]
    found = {"first epoch": rate(opened)}
    part = opened[:2000]
    whole = list(part)
    # In turns, for other work on the machine is felt by both.
    rates = [(rate(whole), rate(part)) for _ in range(7)]
    found["in memory"], found["from the file"] = (max(each) for each in zip(*rates, strict=True))
    return found


def fit(path: Path) -> None:
    """The statistics of all."""
    corpus = load(path)
    Standardize(corpus.in_channels).fit(corpus.splits["train"])


def train(path: Path) -> None:
    """One epoch of a small model, and its scores: the library's trainer with what it keeps."""
    from graphfusion.training import Recipe, fit_seeds  # the other steps need no trainer

    fit_seeds(Recipe("logistic", changes={"epochs": 1}), load(path), path.parent / "run", [0])


STEPS: dict[str, Callable[[Path, int], object]] = {
    "make alone": lambda _, size: sum(1 for _ in Made("a", size)),
    "save": lambda path, size: save(made(size), path),
    "open": lambda path, _: load(path),
    "class counts": lambda path, _: torch.cat(load(path).labels("train")).bincount(),
    "fingerprint": lambda path, _: load(path).fingerprint,
    "statistics": lambda path, _: fit(path),
    "validate": lambda path, _: validate(path),
    "epochs": lambda path, _: epochs(path),
    "train": lambda path, _: train(path),
}


def step(name: str, path: Path, size: int) -> None:
    """One of them, as JSON."""
    torch.set_num_threads(1)
    if name == "train":
        import graphfusion.training  # noqa: F401  what it takes to import is not the data's
    before = peak()
    forget()
    start, busy = time.perf_counter(), time.process_time()
    found = STEPS[name](path, size)
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    result = {
        "step": name,
        "seconds": round(seconds, 2),
        "of the processor": round(busy, 2),
        "MB": round((peak() - before) / 1e6),
    }
    print(json.dumps(result | (found if isinstance(found, dict) else {})))


def main() -> None:
    """All of them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--conversations", type=int, default=20_000)
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    path = options.folder / f"{options.conversations}.safetensors"
    if options.step:
        step(options.step, path, options.conversations)
        return
    for name in options.steps:
        command = [sys.executable, "-m", "benchmarks.corpora", str(options.folder)]
        command += ["--conversations", str(options.conversations), "--step", name]
        subprocess.run(command, check=True)  # noqa: S603 - itself


if __name__ == "__main__":
    main()
