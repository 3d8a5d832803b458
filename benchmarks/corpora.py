"""Benchmark of saving, opening, reading and validating corpora: time and memory.

    python -m benchmarks.corpora FOLDER --conversations 20000

Conversations have 30 utterances with 750 numbers each (90 KB), and are generated on access. Each
step runs in its own process, and its peak memory excludes the imports. If there is enough memory,
the file stays in the page cache.
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
    """Sequence of synthetic conversations, generated on access.

    Args:
        name: The name of the split.
        size: The number of conversations.
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
    """Peak resident memory of this process in bytes, since its start or the last `forget`."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def forget() -> None:
    """Resets the peak memory to the present memory."""
    Path("/proc/self/clear_refs").write_text("5")


def made(conversations: int) -> Corpus:
    """Generates a corpus of this size, with a tenth of the conversations for testing."""
    test = conversations // 10
    return Corpus(CLASSES, {"train": Made("a", conversations - test), "test": Made("b", test)})


def rate(conversations: Sequence[Conversation]) -> float:
    """Conversations loaded in shuffled batches per second of processor time."""
    start = time.process_time()
    for _ in DataLoader(conversations, batch_size=BATCH, shuffle=True):
        pass
    return round(len(conversations) / (time.process_time() - start))


def epochs(path: Path) -> dict[str, float]:
    """Rates of loading shuffled batches from the file and from memory."""
    opened = load(path).splits["train"]
    found = {"first epoch": rate(opened)}
    part = opened[:2000]
    whole = list(part)
    # Alternately, so that other load on the machine affects both.
    rates = [(rate(whole), rate(part)) for _ in range(7)]
    found["in memory"], found["from the file"] = (max(each) for each in zip(*rates, strict=True))
    return found


def fit(path: Path) -> None:
    """Computes the statistics of all training conversations."""
    corpus = load(path)
    Standardize(corpus.in_channels).fit(corpus.splits["train"])


def train(path: Path) -> None:
    """Trains and scores a small model for one epoch."""
    from graphfusion.training import Recipe, fit_seeds  # the other steps must not import it

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
    """Runs one step, and prints its time and memory as JSON."""
    torch.set_num_threads(1)
    if name == "train":
        import graphfusion.training  # noqa: F401  excludes the import from the measurement
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
    """Runs all steps, each in its own process."""
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
