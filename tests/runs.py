"""What a run of an example is made of, and what it leaves."""

from pathlib import Path
from typing import IO

import numpy as np
import pytest
import torch

from graphfusion import Conversation
from graphfusion.datasets import Corpus


def write_npz(path: Path, sizes: dict[str, int], splits: tuple[str, ...]) -> None:
    """Six conversations of three to five utterances a split."""
    rng = np.random.default_rng(0)
    rows = {"dialogue": [], "speaker": [], "label": [], "split": []}
    for split in splits:
        for talk in range(6):
            for turn in range(3 + talk % 3):
                rows["dialogue"].append(f"{split}{talk}")
                rows["speaker"].append("ABC"[turn % 2 + talk % 2])
                rows["label"].append((talk + turn) % 3)
                rows["split"].append(split)
    size = len(rows["label"])
    arrays = {name: rng.normal(3, 5, (size, d)).astype("f4") for name, d in sizes.items()}
    np.savez(
        path,
        **{key: np.array(value) for key, value in rows.items()},
        classes=np.array(["x", "y", "z"]),
        **arrays,
    )


def as_scores(corpus: Corpus, scale: float = 1.0) -> Corpus:
    """The corpus with its classes' numbers, times the scale, as scores."""
    return Corpus(
        (),
        {
            split: [
                Conversation(each.features, each.speaker, each.y * scale, id=each.id)
                for each in conversations
            ]
            for split, conversations in corpus.splits.items()
        },
    )


def weights(folder: Path, name: str = "last.ckpt") -> dict[str, torch.Tensor]:
    return torch.load(folder / name, weights_only=True)["state_dict"]


def empty_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every plot is an empty figure, and every figure an empty picture."""
    from matplotlib.figure import Figure

    from graphfusion.training import plots

    def save(_: object, file: IO[bytes] | Path, **__: object) -> None:
        empty = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
        if isinstance(file, Path):
            file.write_bytes(empty)
        else:
            file.write(empty)

    monkeypatch.setattr(Figure, "savefig", save)
    for name in ("learning_curves", "confusion", "scatter", "reliability", "gates"):
        monkeypatch.setattr(plots, name, lambda *_, **__: Figure())
